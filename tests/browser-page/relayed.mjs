// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A network between page and server that can be cut: HTTP goes through a proxy, and the way that ICE finds through a relay of
// UDP, one for each connection. When it is cut, all of them are for good, and HTTP until the test restores it. The way may be long
// and lose packets: measurements want that, not tests.

import dgram from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';

// Both ways between whoever sends to it first and `target`, a port of this machine, until it is cut.
class UdpRelay {
  static async start(target, { delay, loss }, onBytes) {
    const relay = new UdpRelay();
    const pass = (send) => {
      if (relay.cut || Math.random() < loss) return;
      if (delay === 0) send();
      else setTimeout(() => relay.closed || send(), delay);
    };
    relay.outside = dgram.createSocket('udp4');
    relay.inside = dgram.createSocket('udp4');
    let client = null;
    relay.outside.on('message', (message, { address, port }) => {
      if (address !== '127.0.0.1') return; // Of the browser's other interfaces.
      client = port;
      onBytes(message.length);
      pass(() => relay.inside.send(message, target, '127.0.0.1'));
    });
    relay.inside.on('message', (message) => {
      if (client) pass(() => relay.outside.send(message, client, '127.0.0.1'));
    });
    for (const socket of [relay.outside, relay.inside]) {
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
    }
    relay.port = relay.outside.address().port;
    return relay;
  }

  close() {
    this.closed = true;
    this.outside.close();
    this.inside.close();
  }
}

export class RelayedServer {
  relays = [];
  posts = []; // Addresses of offers.
  down = false;
  passed = 0; // Bytes of the client's.

  // It is cut once, after `limit` bytes of the client's. A packet takes `delay` milliseconds each way, and each is lost with the
  // probability `loss`.
  static async start(server, limit = Infinity, { delay = 0, loss = 0 } = {}) {
    const relayed = new RelayedServer();
    Object.assign(relayed, { server, limit, delay, loss });
    relayed.cut = new Promise((resolve) => {
      relayed.onCut = resolve;
    });
    relayed.http = http.createServer((request, response) => {
      relayed
        .answer(request, response)
        .catch((error) => response.writeHead(502).end(String(error)));
    });
    relayed.http.listen(0, '127.0.0.1');
    await once(relayed.http, 'listening');
    relayed.url = `http://127.0.0.1:${relayed.http.address().port}`;
    return relayed;
  }

  restore() {
    this.down = false;
  }

  count(bytes) {
    const before = this.passed;
    this.passed += bytes;
    if (before > this.limit || this.passed <= this.limit) return;
    this.down = true;
    for (const relay of this.relays) relay.cut = true;
    this.onCut();
  }

  async answer(request, response) {
    if (this.down) {
      request.socket.destroy();
      return;
    }
    const parts = [];
    for await (const part of request) parts.push(part);
    let body = Buffer.concat(parts);
    const isOffer = request.headers['content-type'] === 'application/sdp';
    // The server shall find no way past the relay.
    if (isOffer) {
      this.posts.push(request.url);
      body = String(body).replace(/^a=candidate:.*\r\n/gm, '');
    }
    // Those of this side's connection stay here.
    const headers = { ...request.headers, 'content-length': Buffer.byteLength(body) };
    for (const name of ['host', 'origin', 'connection']) delete headers[name];
    const forwarded = http.request(new URL(request.url, this.server.url), {
      method: request.method,
      headers,
      agent: false,
    });
    const [reply] = await once(forwarded.end(body), 'response');
    const pieces = [];
    for await (const piece of reply) pieces.push(piece);
    let text = Buffer.concat(pieces);
    if (isOffer && reply.statusCode === 201) text = await this.relay(String(text));
    response.writeHead(reply.statusCode, {
      ...reply.headers,
      'content-length': Buffer.byteLength(text),
    });
    response.end(text);
  }

  // The answer with the relay as the only way.
  async relay(sdp) {
    const udp = /^a=candidate:\S+ \d+ UDP \d+ \S+ (\d+) typ host.*\r\n/im;
    const [candidate, port] = sdp.match(udp);
    const { delay, loss } = this;
    const relay = await UdpRelay.start(Number(port), { delay, loss }, (bytes) => this.count(bytes));
    this.relays.push(relay);
    const way = candidate.replace(/UDP (\d+) \S+ \d+/i, `UDP $1 127.0.0.1 ${relay.port}`);
    return sdp.replace(/^a=candidate:.*\r\n/gm, (line) => (line === candidate ? way : ''));
  }

  close() {
    for (const relay of this.relays) relay.close();
    this.http.close();
    this.http.closeAllConnections();
  }
}
