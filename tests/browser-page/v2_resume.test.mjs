// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The JavaScript client in wire v2 when its connection is lost, without a browser: it gets another one and goes on.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';

import { uploadJs } from './upload_js.mjs';
import { FakeConnection, resultMessage } from './fake_connection.mjs';
import { ID, READY, sha256, V2Peer } from './v2_server.mjs';

const { connect, UploadError, whip } = uploadJs;

globalThis.RTCPeerConnection = FakeConnection;

const until = async (what, condition) => {
  const end = Date.now() + 30_000;
  while (!condition()) {
    assert.ok(Date.now() < end, `not within 30 s: ${what}`);
    await new Promise(setImmediate);
  }
};
const has = (peer, type) => {
  peer.take();
  return peer.said.some((message) => message.type === type);
};
const SIZE = 300_000;
const BYTES = new Uint8Array(SIZE).map((_, index) => (index * 7) ^ (index >> 9));
const FILE = new File([BYTES], 'film.mp4', { type: 'video/mp4' });
const DONE = { type: 'done', size: SIZE, sha256: sha256(BYTES) };

// A client whose server is moved by hand. `further` is called for each further connection, with how many there were, and may
// throw.
async function begin({ further = () => {}, status, ...options } = {}) {
  const stored = new Uint8Array(SIZE);
  const states = [];
  const waits = [];
  let asked = 0;
  const signalling = async ({ offer }) => {
    await offer();
    return {
      answer: 'v=0 answer',
      status,
      further: async (exchange) => {
        asked += 1;
        await further(asked);
        await exchange.offer();
        return { answer: 'v=0 answer' };
      },
    };
  };
  const client = await connect('http://server.invalid/', {
    signalling,
    protocol: 'v2',
    onState: (state) => states.push(state),
    onInterruption: ({ secondsLeft }) => waits.push(secondsLeft),
    ...options,
  });
  const peer = () => new V2Peer(FakeConnection.last.channels.video_upload, stored);
  const session = { client, states, waits, stored, connection: FakeConnection.last };
  Object.assign(session, {
    asked: () => asked,
    peer: peer(),
    // The server's side of the connection that comes next, when the client has said hello over it.
    async next() {
      const before = session.connection;
      await until('another connection', () => FakeConnection.last !== before);
      session.connection = FakeConnection.last;
      session.peer = peer();
      await until('a hello', () => has(session.peer, 'hello'));
      return session.peer.said[0];
    },
  });
  session.uploading = client.upload(FILE);
  await until('a hello', () => has(session.peer, 'hello'));
  return session;
}

// So much of the file has been sent, and no more may.
async function sendPart(session, { have = [], credit, ...more }) {
  session.peer.say({ ...READY, have, credit, ...more });
  await until('blocks', () => session.peer.take() && session.peer.received + 49152 > credit);
}

test('a lost connection: what is missing goes over another one, and the upload is verified', async () => {
  const session = await begin();
  const [{ nonce }] = session.peer.said;
  await sendPart(session, { credit: 200_000 });
  session.stored.fill(0, 49152, 98304); // It got lost.
  const lost = session.connection;
  lost.become('failed');
  const hello = await session.next();
  assert.equal(lost.closed, true);
  assert.deepEqual([hello.upload, hello.nonce, hello.size], [ID, nonce, SIZE]);
  assert.equal(session.peer.channel.protocol, 'webrtcupload.v2');
  session.peer.say({
    ...READY,
    have: [
      [0, 49152],
      [98304, 147456],
    ],
  });
  await until('the end', () => has(session.peer, 'end'));
  assert.deepEqual(session.peer.offsets, [49152, 147456, 196608, 245760, 294912]);
  assert.equal(session.peer.said.at(-1).sha256, sha256(BYTES));
  assert.deepEqual(session.stored, BYTES);
  session.peer.say(DONE);
  assert.deepEqual(await session.uploading, { sha256: sha256(BYTES), verified: true });
  assert.deepEqual(session.states, ['connected', 'interrupted', 'connected']);
  assert.equal(session.waits[0], 60);

  // Results come over the connection that there is.
  const { inference: results } = session.connection.channels;
  results.receive(resultMessage(1, 0, 1, '{"id": 1}'));
  assert.equal((await session.client.results.next()).value.id, 1);
  session.client.close();
});

test('a channel that closes, and one that is told off, are lost as well', async () => {
  const session = await begin();
  await sendPart(session, { credit: 100_000 });
  session.peer.channel.closed();
  await session.next();
  await sendPart(session, { have: [[0, 98304]], credit: 100_000 });
  const error = { code: 'corrupt-chunk', message: 'wrong', resumable: true, retry_after: null };
  session.peer.say({ type: 'error', ...error });
  await session.next();
  session.peer.say({ ...READY, have: [[0, 98304]] });
  await until('the end', () => has(session.peer, 'end'));
  session.peer.say(DONE);
  assert.equal((await session.uploading).verified, true);
  session.client.close();
});

test('lost before the server has said its id: the nonce is the same', async () => {
  const session = await begin();
  const [first] = session.peer.said;
  session.peer.channel.closed();
  assert.deepEqual(await session.next(), first);
  assert.equal(first.upload, null);
  session.client.close();
});

test('the same error again and again ends it', async () => {
  const session = await begin();
  const error = { code: 'corrupt-chunk', message: 'wrong', resumable: true };
  for (let times = 0; ; times += 1) {
    await sendPart(session, { credit: 100_000 });
    session.peer.say({ type: 'error', ...error });
    if (times === 6) break;
    await session.next();
  }
  await assert.rejects(session.uploading, { code: 'corrupt-chunk', remote: true });
});

test('it tries again, less and less often, until there is a way', async () => {
  const session = await begin({
    further: (times) => {
      if (times < 3) throw new UploadError('network-failed', 'x could not be reached.');
    },
  });
  await sendPart(session, { credit: 100_000 });
  session.connection.become('failed');
  await until('the third try', () => session.asked() === 3);
  await session.next();
  session.client.close();
});

test('at the end of the time it gives up', async () => {
  const session = await begin({
    further: () => {
      throw new UploadError('network-failed', 'x could not be reached.');
    },
  });
  await sendPart(session, { credit: 100_000, resume_timeout: 1 });
  const before = performance.now();
  session.connection.become('failed');
  await assert.rejects(session.uploading, { code: 'network-failed' });
  assert.ok(performance.now() - before >= 990);
  assert.equal(session.waits.at(-1), 0);
  assert.equal(session.states.at(-1), 'ended');
});

test('news of the network, and of the tab, end a pause', async () => {
  globalThis.window = new EventTarget();
  globalThis.document = new EventTarget();
  const busy = new UploadError('unavailable', 'x', { retryAfter: 3600 });
  const session = await begin({
    further: (times) => {
      if (times < 3) throw busy;
    },
  });
  await sendPart(session, { credit: 100_000, resume_timeout: 7200 });
  session.connection.become('failed');
  const passed = (times) => until('a try', () => session.asked() === times);
  for (const [target, name] of [
    [globalThis.window, 'online'],
    [globalThis.document, 'resume'],
  ]) {
    await passed(target === globalThis.window ? 1 : 2);
    await new Promise(setImmediate);
    target.dispatchEvent(new Event(name));
  }
  await passed(3);
  await session.next();
  session.client.close();
  delete globalThis.window;
  delete globalThis.document;
});

test('a server that has no such session any more says why, or is gone', async () => {
  const crashed = {
    state: 'ended',
    status: 'failed',
    code: 'crashed',
    message: 'ended by signal 9',
  };
  const running = { state: 'running' };
  for (const [status, reply, code] of [
    [crashed, 404, 'crashed'],
    [running, 404, 'peer-gone'],
    [running, 409, 'peer-gone'],
  ]) {
    let said = running;
    const session = await begin({
      status: async () => said,
      further: () => {
        said = status;
        throw new UploadError('bad-request', 'x', { status: reply });
      },
    });
    await sendPart(session, { credit: 100_000 });
    // Results have come: what begins anew would give them twice.
    session.connection.channels.inference.receive(resultMessage(1, 0, 1, '{"id": 1}'));
    session.connection.become('failed');
    await assert.rejects(session.uploading, { code });
    assert.equal(session.asked(), 1);
  }
});

test('a server that does not wait, and one that cannot be asked: the upload ends', async () => {
  const impatient = await begin();
  await sendPart(impatient, { credit: 100_000, resume_timeout: 0 });
  impatient.connection.become('failed');
  await assert.rejects(impatient.uploading, { code: 'peer-gone' });
  assert.equal(impatient.asked(), 0);
});

test('cancelled while it tries', async () => {
  const session = await begin({ further: () => new Promise(() => {}) });
  await sendPart(session, { credit: 100_000 });
  session.connection.become('failed');
  await until('a try', () => session.asked() === 1);
  session.client.close();
  await assert.rejects(session.uploading, { code: 'cancelled' });
  assert.deepEqual(session.states, ['connected', 'interrupted', 'ended']);
});

test('the screen stays on while it sends', async () => {
  let locks = 0;
  const navigator = {
    wakeLock: {
      request: async () => {
        locks += 1;
        return {
          release: async () => {
            locks -= 1;
          },
        };
      },
    },
  };
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
  globalThis.document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  const session = await begin();
  assert.equal(locks, 1);
  locks = 0; // As when the tab is hidden.
  globalThis.document.dispatchEvent(new Event('visibilitychange'));
  await until('a lock', () => locks === 1);
  session.peer.say(READY);
  await until('the end', () => has(session.peer, 'end'));
  session.peer.say(DONE);
  await session.uploading;
  assert.equal(locks, 0);
  globalThis.document.dispatchEvent(new Event('visibilitychange'));
  assert.equal(locks, 0);
  session.client.close();
  delete globalThis.navigator;
  delete globalThis.document;
});

test('how a further connection is asked for', async () => {
  const requests = [];
  const server = http.createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const { method, url, headers } = request;
    if (url.includes('/7')) {
      requests.push([method, url, headers.authorization, headers['content-type']]);
      requests.at(-1).push(Buffer.concat(parts).toString());
    }
    if (method === 'POST') {
      const at = url.includes('/7') ? '/video/sessions/7/connections/1' : 'sessions/7';
      response.writeHead(201, { Location: at }).end('v=0 answer');
    } else response.writeHead(200).end('{"state": "running", "protocols": ["v1", "v2"]}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${server.address().port}/video`;
  const client = await connect(base, { signalling: whip, key: 'k' });
  const first = FakeConnection.last;
  assert.equal(first.channels.video_upload.protocol, 'webrtcupload.v2');
  client.upload(FILE);
  first.become('failed');
  await until('another connection', () => FakeConnection.last !== first);
  await until('it is used', () => client.state === 'connected');
  client.close();
  const posts = requests.filter(([method]) => method === 'POST');
  const url = '/video/sessions/7/connections';
  assert.deepEqual(posts, [['POST', url, 'Bearer k', 'application/sdp', 'v=0 offer']]);
  server.close();
  server.closeAllConnections();
});
