// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The JavaScript client's formats, by themselves: what it puts on the wire, and what it makes of what comes back.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { test } from 'node:test';

import { uploadJs as module } from './upload_js.mjs';
import { resultMessage } from './fake_connection.mjs';

const { encodeChunk, errorFromReply, getLimits, parseIceLinks, ProgressMeter, ResultAssembler } =
  module;

test('the type declarations declare what there is', () => {
  const text = fs.readFileSync(new URL('../../src/web/upload.d.ts', import.meta.url), 'utf8');
  const declared = [...text.matchAll(/^export (?:const|class|function) (\w+)/gm)].map(
    ([, name]) => name,
  );
  assert.deepEqual(declared.sort(), Object.keys(module).sort());
});

test('a chunk on the wire', () => {
  const hello = encodeChunk(1, 3, new TextEncoder().encode('hello'));
  assert.equal(Buffer.from(hello).toString('hex'), '010000000300000068656c6c6f');
  assert.equal(
    Buffer.from(encodeChunk(0x01020304, 0xfffffffe, new Uint8Array(1))).toString('hex'),
    '04030201feffffff00',
  );
});

test('results are put together in any order, characters across pieces included', () => {
  const text = '{"a": "öäü€😀"}';
  const bytes = new TextEncoder().encode(text);
  const pieces = [bytes.subarray(0, 8), bytes.subarray(8, 13), bytes.subarray(13)];
  for (const order of [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ]) {
    const assembler = new ResultAssembler();
    const got = order.map((index) => assembler.push(resultMessage(7, index, 3, pieces[index])));
    assert.deepEqual(got, [null, null, { frameId: 7, text }]);
  }
});

test('two results at once, and a piece twice', () => {
  const assembler = new ResultAssembler();
  assert.equal(assembler.push(resultMessage(1, 0, 2, 'a')), null);
  assert.equal(assembler.push(resultMessage(2, 1, 2, 'd')), null);
  assert.equal(assembler.push(resultMessage(1, 0, 2, 'a')), null);
  assert.deepEqual(assembler.push(resultMessage(3, 0, 1, 'e')), { frameId: 3, text: 'e' });
  assert.deepEqual(assembler.push(resultMessage(1, 1, 2, 'b')), { frameId: 1, text: 'ab' });
  assert.deepEqual(assembler.push(resultMessage(2, 0, 2, 'c')), { frameId: 2, text: 'cd' });
});

test('what is no part of a result', () => {
  const refused = (...messages) => {
    const assembler = new ResultAssembler(100);
    const last = messages.pop();
    for (const message of messages) assert.equal(assembler.push(message), null);
    assert.throws(() => assembler.push(last), { name: 'UploadError', code: 'bad-result' });
  };
  refused(new ArrayBuffer(0));
  refused(new ArrayBuffer(12));
  refused(resultMessage(1, 1, 1, 'a'));
  refused(resultMessage(1, 0, 0, 'a'));
  refused(resultMessage(1, 0, 2, 'a'), resultMessage(1, 1, 3, 'a'));
  refused(resultMessage(1, 0, 0xffffffff, 'a'));
  refused(resultMessage(1, 0, 3, 'a'.repeat(60)), resultMessage(1, 1, 3, 'a'.repeat(41)));
  refused(...Array.from({ length: 9 }, (_, id) => resultMessage(id, 0, 2, 'a')));
});

test('speed and time left', () => {
  const meter = new ProgressMeter(1000, 3000);
  assert.deepEqual(meter.update(0, 0), {
    sent: 0,
    total: 1000,
    fraction: 0,
    bytesPerSecond: null,
    secondsLeft: null,
  });
  assert.deepEqual(meter.update(1000, 100), {
    sent: 100,
    total: 1000,
    fraction: 0.1,
    bytesPerSecond: 100,
    secondsLeft: 9,
  });
  // Only the last seconds count.
  for (let second = 2; second <= 5; second += 1) meter.update(second * 1000, 100);
  const stalled = meter.update(6000, 100);
  assert.equal(stalled.bytesPerSecond, 0);
  assert.equal(stalled.secondsLeft, null);
  assert.equal(meter.update(7000, 1000).secondsLeft, 0);
});

test('HTTP errors', () => {
  const error = errorFromReply(
    429,
    '{"message": "Four sessions are under way.", "error_type": "Busy"}',
  );
  assert.deepEqual(
    [error.code, error.status, error.message],
    ['too-many-sessions', 429, 'Four sessions are under way.'],
  );
  const wait = (header) => errorFromReply(503, '', header).retryAfter;
  assert.deepEqual(
    [wait('5'), wait('0'), wait(null), wait('soon'), wait(''), wait('-5')],
    [5, 0, undefined, undefined, undefined, undefined],
  );
  assert.ok(wait(new Date(Date.now() + 3600_000).toUTCString()) > 3000);
  assert.equal(wait(new Date(0).toUTCString()), 0);
  const fields = errorFromReply(
    422,
    '{"detail": [{"loc": ["webrtc_offer", "sdp"], "msg": "Field required", "type": "missing"}]}',
  );
  assert.deepEqual(
    [fields.code, fields.message],
    ['bad-request', 'webrtc_offer.sdp: Field required'],
  );
  assert.equal(
    errorFromReply(502, '<h1>Bad gateway</h1>').message,
    'The server replied with status 502.',
  );
  const codes = {
    400: 'bad-request',
    401: 'unauthorized',
    402: 'payment-required',
    403: 'forbidden',
    404: 'not-found',
    418: 'bad-request',
    500: 'server-error',
    503: 'unavailable',
    504: 'unavailable',
  };
  for (const [status, code] of Object.entries(codes)) {
    assert.equal(errorFromReply(Number(status), '').code, code);
  }
  for (const body of ['null', '[]', '3', '{"detail": [null]}', '{"message": 3}']) {
    assert.equal(errorFromReply(500, body).code, 'server-error', body);
  }
});

test('ICE servers in Link headers', () => {
  assert.deepEqual(parseIceLinks(null), []);
  assert.deepEqual(
    parseIceLinks(
      '<stun:stun.example.net>; rel="ice-server", ' +
        '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="us,er"; credential="a \\"secret\\"; really"; credential-type="password", ' +
        '<https://example.net/>; rel="help", <javascript:alert(1)>; rel="ice-server"',
    ),
    [
      { urls: 'stun:stun.example.net' },
      {
        urls: 'turn:turn.example.net?transport=udp',
        username: 'us,er',
        credential: 'a "secret"; really',
      },
    ],
  );
});

test('limits', async (t) => {
  const replies = {
    '/a/limits': [
      200,
      '{"max_size": 5, "keys_required": true, "formats": ["video/mp4"], "max_connections": 3}',
    ],
    '/b/limits': [200, 'no JSON'],
    '/d/limits': [200, '{"max_size": "x", "formats": 3}'],
    '/e/limits': [500, ''],
    '/f/limits': [
      200,
      '{"max_size": {"valueOf": 1, "toString": 1}, "formats": [{"toString": 1}], "protocols": ["v1", "v2", {}], "max_connections": -2}',
    ],
  };
  const server = http.createServer((request, response) => {
    if (request.url === '/g/limits') {
      request.socket.destroy();
      return;
    }
    const [status, body] = replies[request.url] ?? [404, ''];
    response.writeHead(status).end(body);
  });
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${server.address().port}`;
  assert.deepEqual(await getLimits(`${base}/a`), {
    maxSize: 5,
    maxConnections: 3,
    keysRequired: true,
    formats: ['video/mp4'],
    protocols: ['v1'],
  });
  assert.equal(await getLimits(`${base}/b/`), null);
  assert.equal(await getLimits(`${base}/c/`), null);
  assert.deepEqual(await getLimits(`${base}/d/`), {
    maxSize: null,
    maxConnections: null,
    keysRequired: false,
    formats: [],
    protocols: ['v1'],
  });
  assert.deepEqual(await getLimits(`${base}/f/`), {
    maxSize: null,
    maxConnections: null,
    keysRequired: false,
    formats: ['[object Object]'],
    protocols: ['v1', 'v2', '[object Object]'],
  });
  await assert.rejects(getLimits(`${base}/e/`), { code: 'server-error', status: 500 });
  await assert.rejects(getLimits(`${base}/g/`), { code: 'network-failed' });
});
