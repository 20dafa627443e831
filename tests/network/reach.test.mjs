// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who reaches the server's UDP sockets: with the default address this machine alone, at every address that it has; behind
// 1:1 NAT the peers outside, at the address and the ports that the operator has named.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

import { ANALYSE, drawFilms, eventually, Server, within, WORK } from '../browser/support.mjs';
import { run, test } from '../browser/tap.mjs';
import { connectMachines, enterNetwork, Machine } from './network.mjs';
import { bindingRequest, candidates, credentials, isStun, isSuccess, offerOf } from './stun.mjs';

enterNetwork();

const PEER = fileURLToPath(new URL('udp_peer.mjs', import.meta.url));
const CLIENT = { ufrag: 'abcd', pwd: 'abcdefghijklmnopqrstuvwx' };

// A UDP socket on a machine.
class UdpPeer {
  received = [];

  static async start(machine) {
    const peer = new UdpPeer();
    const [program, ...args] = [...machine.prefix, process.execPath, PEER];
    peer.process = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = readline.createInterface({ input: peer.process.stdout });
    peer.port = JSON.parse((await within('a UDP socket', once(lines, 'line')))[0]).port;
    lines.on('line', (line) => {
      const { message, ...from } = JSON.parse(line);
      peer.received.push({ message: Buffer.from(message, 'hex'), ...from });
    });
    return peer;
  }

  send(message, address, port) {
    this.process.stdin.write(`${JSON.stringify({ message: message.toString('hex'), address, port })}\n`);
  }

  async receive(what, matches) {
    await eventually(what, () => this.received.some(matches));
  }

  // Whatever was sent here by now has come.
  async catchUp(other, address) {
    const word = `word ${Math.random()}`;
    this.send(Buffer.from(`echo ${word}`), address, other.port);
    await this.receive('an echo', ({ message }) => String(message) === word);
  }

  async stop() {
    const ended = once(this.process, 'exit');
    this.process.stdin.end();
    await ended;
  }
}

async function post(url, sdp) {
  const response = await fetch(`${url}/upload`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/sdp' },
    body: sdp,
  });
  return { status: response.status, text: await response.text() };
}

let films;
const setUp = async () => {
  films = fs.mkdtempSync(path.join(os.tmpdir(), 'webrtcupload-films-'));
  await drawFilms(films);
};
const tearDown = () => fs.rmSync(films, { recursive: true, force: true });

// One that runs `webrtc-upload send` on a machine, and what it says.
async function send(machine, url) {
  const command = [...machine.prefix, process.env.WEBRTC_UPLOAD, 'send', path.join(films, 'short.mp4'), '--to', url];
  const sending = spawn(command[0], command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  sending.stderr.on('data', (data) => {
    said += data;
  });
  const [code] = await within('the end of send', once(sending, 'close'), WORK);
  return { code, said };
}

async function withServer(options, machine, body) {
  const server = await Server.start(ANALYSE, options, machine.prefix);
  try {
    await body(server);
    await server.stop();
  } finally {
    await server.kill();
  }
}

for (const network of ['a cable to another machine', 'no interface but loopback']) {
  test(`a server on 127.0.0.1, ${network}: this machine reaches it, another does not`, async () => {
    const cable = network.startsWith('a cable');
    const other = await Machine.start();
    if (cable) {
      connectMachines([Machine.here, '10.79.0.1/24', 'fd79::1/64'], [other, '10.79.0.2/24', 'fd79::2/64']);
    }
    const mine = await UdpPeer.start(Machine.here);
    const foreign = await UdpPeer.start(other);
    await withServer(['--connect-timeout', '120'], Machine.here, async (server) => {
      if (cable) await foreign.catchUp(mine, '10.79.0.1');
      const offered = (address, port) => `a=candidate:${address.length}${port} 1 UDP 2122260223 ${address} ${port} typ host`;
      const offer = offerOf(CLIENT, [
        offered('10.79.0.2', foreign.port),
        offered('fd79::2', foreign.port),
        // As browsers hide their addresses.
        offered('8e2ff2e9-6a30-4fd8-8a1a-8f9e1bd4ce4d.local', 50000),
        offered(cable ? '10.79.0.1' : '127.0.0.1', mine.port),
      ]);
      const { status, text: answer } = await post(server.url, offer);
      assert.equal(status, 201, answer);
      const found = candidates(answer);
      assert.deepEqual(
        found.map(({ transport, address }) => `${transport} ${address}`).sort(),
        cable ? ['UDP 10.79.0.1', 'UDP 127.0.0.1', 'UDP fd79::1'] : ['UDP 127.0.0.1'],
      );
      // Not even one that has learnt everything that a page is told.
      const request = () => bindingRequest(credentials(answer), CLIENT);
      for (const { address, port } of found) {
        if (cable && address !== '127.0.0.1') for (let i = 0; i < 5; ++i) foreign.send(request(), address, port);
        if (cable) await foreign.catchUp(mine, '10.79.0.1');
        mine.send(request(), address, port);
        await mine.receive(
          `an answer from ${address}`,
          (from) => isSuccess(from.message) && from.address === address && from.port === port,
        );
      }
      // It sends its own checks, to this machine alone.
      await mine.receive('a check', ({ message }) => isStun(message) && message.readUInt16BE(0) === 0x0001);
      if (cable) {
        await foreign.catchUp(mine, '10.79.0.1');
        await foreign.catchUp(mine, 'fd79::1');
      }
      assert.deepEqual(foreign.received.filter(({ message }) => isStun(message)), []);
    });
    await mine.stop();
    await foreign.stop();
    await other.stop();
  });
}

test('no port of the range is free: the client is told so, and is let in when one is', async () => {
  const taken = await Promise.all(
    [50000, 50001].map(async (port) => {
      const socket = dgram.createSocket('udp4').bind(port);
      await once(socket, 'listening');
      return socket;
    }),
  );
  await withServer(['--udp-port-range', '50000-50001', '--max-sessions', '2'], Machine.here, async (server) => {
    const { status, text } = await post(server.url, offerOf(CLIENT));
    assert.equal(status, 503, text);
    assert.match(JSON.parse(text).message, /none of the UDP ports 50000-50001 is free/);
    taken.pop().close();
    const { status: then, text: answer } = await post(server.url, offerOf(CLIENT));
    assert.equal(then, 201, answer);
    assert.deepEqual(
      candidates(answer).map(({ address, port }) => `${address} ${port}`),
      ['127.0.0.1 50001'],
    );
  });
  taken.pop().close();
});

// A network such as containers have: the server's address is known to its router only, which passes on what comes to the
// published ports of its own, and nothing else. `outside` is where the clients are.
async function behindNat(body) {
  const inside = await Machine.start();
  const router = await Machine.start();
  const outside = Machine.here;
  connectMachines([router, '10.80.1.1/24'], [inside, '10.80.1.2/24']);
  connectMachines([outside, '10.80.2.9/24'], [router, '10.80.2.1/24']);
  inside.run('ip', 'route', 'add', 'default', 'via', '10.80.1.1');
  router.run('sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward');
  const rules = `
    table ip nat {
      chain in {
        type nat hook prerouting priority dstnat;
        ip daddr 10.80.2.1 tcp dport 8080 dnat to 10.80.1.2
        ip daddr 10.80.2.1 udp dport 50000-50007 dnat to 10.80.1.2
      }
    }
    table ip filter {
      chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established accept
        ct status dnat accept
      }
    }`;
  router.run('nft', rules);
  try {
    await body(inside, outside);
  } finally {
    await inside.stop();
    await router.stop();
  }
}

const BEHIND_NAT = ['--address', '0.0.0.0', '--port', '8080', '--insecure', '--udp-port-range', '50000-50007'];

test('behind 1:1 NAT, with its ports and its address named: a client outside uploads', async () => {
  await behindNat(async (inside, outside) => {
    const options = [...BEHIND_NAT, '--announce-address', '10.80.2.1'];
    await withServer(options, inside, async (server) => {
      const { text: answer } = await post('http://10.80.2.1:8080', offerOf(CLIENT));
      const found = candidates(answer);
      assert.deepEqual(found.map(({ transport, address }) => `${transport} ${address}`), ['UDP 10.80.2.1'], answer);
      assert.ok(found[0].port >= 50000 && found[0].port <= 50007, answer);
      const { code, said } = await send(outside, 'http://10.80.2.1:8080');
      assert.equal(code, 0, said);
      assert.equal((await server.end(2)).status, 'done');
    });
  });
});

test('behind 1:1 NAT, with no address named: the server says at which ports nothing came', async () => {
  await behindNat(async (inside, outside) => {
    const options = [...BEHIND_NAT, '--connect-timeout', '5'];
    await withServer(options, inside, async (server) => {
      const { code, said } = await send(outside, 'http://10.80.2.1:8080');
      assert.equal(code, 1, said);
      const end = await server.end();
      assert.equal(end.code, 'connect-timeout');
      assert.match(end.message, /ICE .* UDP port 50000-50007$/);
    });
  });
});

await run({ setUp, tearDown });
