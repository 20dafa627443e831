// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The JavaScript client with servers that mean it harm: what it holds for them is bounded by the memory that this costs, and
// they get nothing that is meant for another one.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';
import v8 from 'node:v8';
import vm from 'node:vm';

import { FakeConnection, resultMessage } from './fake_connection.mjs';
import { uploadJs } from './upload_js.mjs';

const { connect, dropIn, getLimits, ResultAssembler, whip } = uploadJs;
globalThis.RTCPeerConnection = FakeConnection;

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc');
const MB = 1e6;

// What is still held on the heap of what `body` has had; it has to give back what shall be held. Not of buffers: V8 frees
// those in a thread of its own, and later.
async function memoryOf(body) {
  const used = () => {
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  const held = await body();
  const after = used();
  assert.ok(held);
  return after - before;
}

const badResult = { name: 'UploadError', code: 'bad-result' };

// How many messages it takes until one is refused.
function countUntilRefused(assembler, messages) {
  let count = 0;
  assert.throws(() => {
    for (const message of messages) {
      assembler.push(message);
      count += 1;
    }
  }, badResult);
  return count;
}

test('a result of millions of parts is refused before any room is made for them', async () => {
  const assembler = new ResultAssembler();
  const held = await memoryOf(() => {
    for (let id = 0; id < 8; id += 1) {
      assert.throws(() => assembler.push(resultMessage(id, 0, 2_000_000, 'a')), badResult);
      // The most that is taken, and of which only one has come.
      assert.equal(assembler.push(resultMessage(100 + id, 0, 16384, 'a')), null);
    }
    return assembler;
  });
  assert.ok(held < MB, `${held} bytes`);
});

test('parts of one byte count what they cost, however they are spread', async () => {
  for (const results of [1, 7]) {
    const assembler = new ResultAssembler();
    const messages = function* () {
      // Never the last part of any.
      for (let index = 0; index < 16384 - 1; index += 1) {
        for (let id = 0; id < results; id += 1) yield resultMessage(id, index, 16384, 'a');
      }
      for (let index = 0; ; index += 1) yield resultMessage(99, index, 16384, 'a');
    };
    let count;
    const held = await memoryOf(() => {
      count = countUntilRefused(assembler, messages());
      return assembler;
    });
    assert.equal(count, 16384);
    assert.ok(held < 10 * MB, `${held} bytes`);
  }
});

test('all unfinished results together have no more bytes than one may have', () => {
  const part = 'a'.repeat(40);
  const messages = [1, 2, 3].map((id) => resultMessage(id, 0, 2, part));
  assert.equal(countUntilRefused(new ResultAssembler(100), messages), 2);
  // Nor has a result in one part.
  assert.throws(() => new ResultAssembler(10).push(resultMessage(1, 0, 1, part)), badResult);
  assert.equal(new ResultAssembler(40).push(resultMessage(1, 0, 1, part)).text, part);
});

test('what is complete leaves its room to others', () => {
  const assembler = new ResultAssembler(100);
  for (let id = 0; id < 50; id += 1) {
    const text = 'a'.repeat(100);
    assert.equal(assembler.push(resultMessage(id, 0, 2, text.slice(40))), null);
    assert.equal(assembler.push(resultMessage(id, 1, 2, text.slice(60))).text, text);
    for (let index = 0; index < 99; index += 1) {
      assert.equal(assembler.push(resultMessage(1000 + id, index, 100, 'b')), null);
    }
    assert.equal(assembler.push(resultMessage(1000 + id, 99, 100, 'b')).text, 'b'.repeat(100));
  }
});

test('a part does not keep the buffer that it came in', async () => {
  const assembler = new ResultAssembler();
  const push = (index) => {
    // As stacks do that cut messages out of what they read.
    const message = new Uint8Array(resultMessage(1, index, 101, 'a'));
    const whole = new Uint8Array(MB / 10);
    whole.set(message, 1000);
    assembler.push(whole.subarray(1000, 1000 + message.length));
    return new WeakRef(whole.buffer);
  };
  const buffers = Array.from({ length: 100 }, (_, index) => push(index));
  // In the turn in which a weak reference was made it is a strong one.
  await new Promise(setImmediate);
  collectGarbage();
  assert.equal(buffers.filter((buffer) => buffer.deref()).length, 0);
  assert.equal(assembler.push(resultMessage(1, 100, 101, 'b')).text, `${'a'.repeat(100)}b`);
});

async function connected(options = {}) {
  const signalling = async ({ offer }) => {
    await offer();
    return { answer: 'v=0 answer' };
  };
  const client = await connect('http://server.invalid/', { signalling, ...options });
  return { client, results: FakeConnection.last.channels.inference };
}

test('results that nobody takes cost what their text says', async () => {
  const { client, results } = await connected();
  const objects = `{"a": [${new Array(300_000).fill('{}').join(',')}]}`;
  const held = await memoryOf(() => {
    for (let id = 1; id <= 10; id += 1) results.receive(resultMessage(id, 0, 1, objects));
    return client;
  });
  assert.ok(held > 5 * MB && held < 30 * MB, `${held} bytes`);
  const { value } = await client.results.next();
  assert.equal(value.a.length, 300_000);
  client.close();
});

test('of results that nobody takes the oldest go when their text is too much', async () => {
  const { client, results } = await connected({ maxQueuedBytes: 1000 });
  const result = (id, length) => {
    const json = JSON.stringify({ id, text: '' });
    const text = 'a'.repeat(length - json.length);
    return resultMessage(id, 0, 1, JSON.stringify({ id, text }));
  };
  const ids = [];
  const take = async () => ids.push((await client.results.next()).value.id);
  for (let id = 1; id <= 10; id += 1) results.receive(result(id, 100));
  assert.equal(client.dropped, 0);
  results.receive(result(11, 150));
  assert.equal(client.dropped, 2);
  await take();
  // What was taken has made room.
  results.receive(result(12, 50));
  assert.equal(client.dropped, 2);
  // One is kept in any case.
  results.receive(result(13, 2000));
  assert.equal(client.dropped, 11);
  await take();
  assert.deepEqual(ids, [3, 13]);
  client.close();
});

// A server that writes and never stops, until nobody listens any more.
async function endless(status, headers = {}) {
  const server = http.createServer((request, response) => {
    request.resume();
    if (request.method === 'OPTIONS') {
      response.writeHead(204).end();
      return;
    }
    response.writeHead(status, headers);
    const block = Buffer.alloc(65536, 'v=0 ');
    const write = () => {
      while (!response.destroyed && response.write(block));
    };
    response.on('drain', write);
    response.on('close', () => server.emit('left'));
    write();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${server.address().port}/` };
}

const DEADLINE = { timeout: 60_000 };

test('replies without an end are not read to it', DEADLINE, async () => {
  const cases = [
    [201, (url) => assert.rejects(connect(url), { code: 'bad-answer' })],
    [200, (url) => assert.rejects(connect(url, { signalling: dropIn }), { code: 'bad-answer' })],
    [503, (url) => assert.rejects(connect(url), { code: 'unavailable' })],
    [200, async (url) => assert.equal(await getLimits(url), null)],
    [500, (url) => assert.rejects(getLimits(url), { code: 'server-error' })],
  ];
  for (const [status, check] of cases) {
    const { server, url } = await endless(status);
    const left = once(server, 'left');
    await check(url);
    await left;
    server.close();
    server.closeAllConnections();
  }
});

test('the key is for the server that was named, not for one that it names', async () => {
  const serve = async (name, answer) => {
    const server = http.createServer((request, response) => {
      requests.push([name, request.method, request.url, request.headers.authorization]);
      request.resume();
      answer(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { server, url: `http://127.0.0.1:${server.address().port}` };
  };
  const requests = [];
  const running = '{"state": "running", "status": null}';
  const other = await serve('other', (request, response) => {
    if (request.method === 'POST') {
      response.writeHead(201, { Location: '/sessions/1' }).end('v=0 answer');
    } else response.writeHead(200).end(running);
  });
  // One that sends its client elsewhere at once, and one that does so for the session.
  const redirecting = await serve('named', (request, response) => {
    if (request.method === 'OPTIONS') response.writeHead(204).end();
    else response.writeHead(307, { Location: `${other.url}${request.url}` }).end();
  });
  const sending = await serve('named', (request, response) => {
    if (request.method === 'OPTIONS') response.writeHead(204).end();
    else {
      response
        .writeHead(201, { Location: `${other.url}/sessions/2` })
        .end(request.url.includes('upload') ? 'v=0 answer' : '{"sdp": "v=0 answer"}');
    }
  });
  for (const [{ url }, way] of [
    [redirecting, whip],
    [sending, whip],
    [sending, dropIn],
  ]) {
    const session = await way({
      url,
      offer: async () => 'v=0 offer',
      wishes: { realtime: false, dataOutput: [] },
      key: 'k',
      signal: new AbortController().signal,
    });
    await session.status(new AbortController().signal);
    await session.end();
  }
  const keys = (wanted) => requests.filter(([name]) => name === wanted).map(([, , , key]) => key);
  assert.deepEqual(new Set(keys('named')), new Set(['Bearer k']));
  // Asked, and told the end, three times; posted to once.
  assert.equal(keys('other').length, 7);
  assert.deepEqual(new Set(keys('other')), new Set([undefined]));
  for (const { server } of [other, redirecting, sending]) {
    server.close();
    server.closeAllConnections();
  }
});
