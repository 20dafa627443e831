// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The JavaScript client's conduct, without a browser: against a peer connection that the tests move by hand.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { beforeEach, test } from 'node:test';

import { uploadJs } from './upload_js.mjs';
import { FakeConnection, resultMessage } from './fake_connection.mjs';

const { CHUNK_BYTES, connect, dropIn, whip } = uploadJs;

globalThis.RTCPeerConnection = FakeConnection;
let ended;
beforeEach(() => {
  ended = 0;
});
const countEnd = () => (ended += 1);
const signalling = async ({ offer }) => {
  await offer();
  return { answer: 'v=0 answer', end: countEnd };
};

async function connected(options = {}) {
  const client = await connect('http://server.invalid/', { signalling, ...options });
  const { video_upload: upload, inference: results } = FakeConnection.last.channels;
  return { client, upload, results, connection: FakeConnection.last };
}

const turn = () =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });
// Many turns of the event loop: as long as something goes on by itself, it will.
const settle = async () => {
  for (let i = 0; i < 50; i += 1) await turn();
};
// For what takes other threads, which read files.
const until = async (what, condition) => {
  const end = Date.now() + 60_000;
  while (!condition()) {
    assert.ok(Date.now() < end, `not within a minute: ${what}`);
    await turn();
  }
};
const result = (id, more = {}) => resultMessage(id, 0, 1, JSON.stringify({ id, ...more }));
const completion = (reason = null, errors = []) =>
  result(99, { processing_complete: true, termination_reason: reason, errors });

test('an upload: chunks in order, held back by the buffer, done with the echo', async () => {
  const { client, upload } = await connected();
  const bytes = new Uint8Array(100 * CHUNK_BYTES + 5).map((_, index) => index * 7);
  const seen = [];
  const uploading = client.upload(new Blob([bytes]), {
    onProgress: (progress) => seen.push(progress),
  });
  let done = false;
  uploading.then(() => {
    done = true;
  });
  while (upload.sent.length < 102) {
    const before = upload.sent.length;
    await until('a chunk', () => upload.sent.length > before);
    await until(
      'a full buffer',
      () => upload.bufferedAmount > 256 * 1024 || upload.sent.length > 101,
    );
    const full = upload.sent.length;
    await settle();
    assert.equal(upload.sent.length, full); // It waits.
    upload.drain();
  }
  assert.ok(upload.peak <= 256 * 1024 + CHUNK_BYTES + 8, String(upload.peak));
  const last = upload.sent.pop();
  assert.equal(last.length, 1);
  assert.deepEqual(
    Buffer.concat(upload.sent.map((message) => message.subarray(8))),
    Buffer.from(bytes),
  );
  upload.sent.forEach((message, index) => {
    const header = new DataView(message.buffer, message.byteOffset);
    assert.deepEqual([header.getUint32(0, true), header.getUint32(4, true)], [index, 101]);
  });
  assert.equal(done, false);
  upload.receive(new ArrayBuffer(1));
  await uploading;
  assert.deepEqual(
    [seen[0].fraction, seen.at(-1).fraction, seen.at(-1).sent],
    [0, 1, bytes.length],
  );
  upload.closed(); // Now this is no matter.
  await assert.rejects(client.upload(new Blob(['x'])), { code: 'already-used' });
  client.close();
});

test('results in order, acknowledged as they are taken, then the end', async () => {
  const { client, results, connection } = await connected();
  for (let id = 1; id <= 20; id += 1) results.receive(result(id));
  assert.deepEqual(results.sent, []);
  const ids = [];
  const reading = (async () => {
    for await (const { id } of client.results) ids.push(id);
  })();
  await settle();
  assert.equal(ids.length, 20);
  assert.deepEqual(results.sent, ['{"ack":8}', '{"ack":16}', '{"ack":20}']);
  results.receive(result(21));
  await settle();
  assert.equal(results.sent.at(-1), '{"ack":21}');
  results.receive(completion(null, ['a remark']));
  await reading;
  assert.deepEqual(await client.completion, { terminationReason: null, errors: ['a remark'] });
  assert.equal(results.readyState, 'closing'); // So that the server knows.
  assert.equal(client.state, 'connected');
  results.closed();
  assert.equal(client.state, 'ended');
  assert.equal(connection.closed, true);
  assert.equal(ended, 0);
});

test('a reader that leaves does not hold the server back; a realtime one never does', async () => {
  const { client, results } = await connected();
  results.receive(result(1));
  for await (const { id } of client.results) if (id === 1) break;
  results.receive(result(2));
  assert.equal(results.sent.at(-1), '{"ack":2}');
  client.close();

  const live = await connected({ realtime: true, maxQueuedResults: 3 });
  for (let id = 1; id <= 5; id += 1) live.results.receive(result(id));
  live.results.receive(completion());
  const ids = [];
  for await (const { id } of live.client.results) ids.push(id);
  assert.deepEqual(ids, [3, 4, 5]);
  assert.equal(live.client.dropped, 2);
  assert.deepEqual(live.results.sent, []);
  live.results.closed();
});

test('the server ends it early: everybody is told the same, after the results that came', async () => {
  const { client, upload, results, connection } = await connected();
  const uploading = client.upload(new Blob([new Uint8Array(100 * CHUNK_BYTES)]));
  uploading.catch(() => {});
  await until('a chunk', () => upload.sent.length > 0);
  results.receive(result(1));
  upload.closed();
  results.receive(completion('too-large', ['the file has at least 5 bytes']));
  const told = { code: 'too-large', message: 'the file has at least 5 bytes', remote: true };
  await assert.rejects(uploading, told);
  await assert.rejects(client.completion, told);
  const iterator = client.results;
  assert.equal((await iterator.next()).value.id, 1);
  await assert.rejects(iterator.next(), told);
  assert.equal((await iterator.next()).done, true);
  assert.equal(connection.closed, true);
  assert.equal(ended, 0);
});

test('a server that is satisfied early ends the upload well', async () => {
  const { client, upload, results } = await connected();
  const uploading = client.upload(new Blob([new Uint8Array(100 * CHUNK_BYTES)]));
  await until('a chunk', () => upload.sent.length > 0);
  results.receive(completion());
  await uploading;
  assert.ok(upload.sent.length < 100);
  results.closed();
});

test('cancel: by signal, by close(), before and in every state', async () => {
  const told = { name: 'UploadError', code: 'cancelled', remote: false };
  await assert.rejects(connected({ signal: AbortSignal.abort() }), told);

  const early = new AbortController();
  const never = ({ signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  const connecting = connected({ signal: early.signal, signalling: never });
  early.abort();
  await assert.rejects(connecting, told);

  const { client, connection, upload } = await connected();
  const late = new AbortController();
  const uploading = client.upload(new Blob([new Uint8Array(100 * CHUNK_BYTES)]), {
    signal: late.signal,
  });
  const reading = client.results.next();
  await until('a chunk', () => upload.sent.length > 0);
  late.abort();
  await assert.rejects(uploading, told);
  await assert.rejects(reading, told);
  assert.equal(connection.closed, true);
  assert.equal(ended, 1);
  client.close();
  assert.equal(ended, 1);
});

test('connections that fail', async () => {
  await assert.rejects(connected({ signalling: async () => ({ answer: '<html>' }) }), {
    code: 'bad-answer',
  });
  await assert.rejects(connected({ signalling: async () => ({ answer: undefined }) }), {
    code: 'bad-answer',
  });
  await assert.rejects(connected({ signalling: async () => ({ answer: 'v=0 nonsense' }) }), {
    code: 'bad-answer',
  });
  await assert.rejects(connected({ signalling: () => new Promise(() => {}), connectTimeout: 20 }), {
    code: 'connect-timeout',
  });
  await assert.rejects(
    connected({
      signalling: async () => {
        throw new TypeError('a bug');
      },
    }),
    { code: 'internal-error', message: 'a bug' },
  );

  // An answer that comes when nobody waits for it any more.
  let reply;
  const slow = () =>
    new Promise((resolve) => {
      reply = resolve;
    });
  await assert.rejects(connected({ signalling: slow, connectTimeout: 20 }), {
    code: 'connect-timeout',
  });
  await new Promise((resolve) => {
    reply({ answer: 'v=0 answer', end: resolve });
  });

  const lost = await connected();
  lost.connection.become('failed');
  await assert.rejects(lost.client.completion, { code: 'peer-gone' });

  const states = [];
  const shaky = await connected({ onState: (state) => states.push(state), disconnectTimeout: 20 });
  shaky.connection.become('disconnected');
  shaky.connection.become('connected');
  shaky.connection.become('disconnected');
  await assert.rejects(shaky.client.completion, { code: 'peer-gone' });
  assert.deepEqual(states, ['connected', 'interrupted', 'connected', 'interrupted', 'ended']);

  const closed = await connected();
  closed.results.closed();
  await assert.rejects(closed.client.completion, { code: 'peer-gone' });
});

test('a handler that throws is reported, and the session ends in order', async () => {
  const reported = [];
  const { reportError } = globalThis;
  globalThis.reportError = (error) => reported.push(error.message);
  const { client } = await connected({
    onState: (state) => {
      throw new Error(state);
    },
  });
  client.close();
  await assert.rejects(client.completion, { code: 'cancelled' });
  globalThis.reportError = reportError;
  assert.deepEqual(reported, ['connected', 'ended']);
  assert.equal(ended, 1, 'the server is told');
});

test('options that are undefined are as if they were not there; wrong ones are told as errors', async () => {
  const { client } = await connected({
    connectTimeout: undefined,
    dataOutput: undefined,
    key: undefined,
  });
  assert.equal(client.state, 'connected');
  client.close();
  globalThis.RTCPeerConnection = class {
    constructor() {
      throw new SyntaxError('a bad URL');
    }
  };
  await assert.rejects(connected({ iceServers: [{ urls: 'nonsense' }] }), {
    code: 'internal-error',
    message: 'a bad URL',
  });
  globalThis.RTCPeerConnection = undefined;
  await assert.rejects(connected(), { code: 'unsupported' });
  globalThis.RTCPeerConnection = FakeConnection;
});

test('the upload channel closes under the last message: no rejection is lost', async () => {
  const { client, upload } = await connected({ disconnectTimeout: 20 });
  const lost = [];
  const onLost = (reason) => lost.push(reason);
  process.on('unhandledRejection', onLost);
  let tried = false;
  upload.send = (message) => {
    if (message.length > 1) return;
    tried = true;
    upload.readyState = 'closed';
    throw new DOMException('not open', 'InvalidStateError');
  };
  const uploading = client.upload(new Blob(['x']));
  uploading.catch(() => {});
  await until('a message', () => tried);
  await settle();
  FakeConnection.last.become('failed');
  await assert.rejects(uploading, { code: 'peer-gone' });
  await settle();
  process.off('unhandledRejection', onLost);
  assert.deepEqual(lost, []);
});

// Stacks for Node differ from browsers: @roamhq/wrtc tells of no empty buffer, werift gives Buffers, node-datachannel throws
// when the channel has closed and this was not told yet.
test('without bufferedamountlow the buffer is looked at', async () => {
  const { client, upload } = await connected();
  delete upload.onbufferedamountlow;
  upload.drain = function drain() {
    this.bufferedAmount = 0;
  };
  const uploading = client.upload(new Blob([new Uint8Array(20 * CHUNK_BYTES)]));
  while (upload.sent.length < 21) {
    await until(
      'a full buffer',
      () => upload.bufferedAmount > 256 * 1024 || upload.sent.length > 20,
    );
    upload.drain();
  }
  assert.ok(upload.peak <= 256 * 1024 + CHUNK_BYTES + 8, String(upload.peak));
  upload.receive(new ArrayBuffer(1));
  await uploading;
  client.close();
});

test('results may come as Buffers', async () => {
  const { client, results } = await connected();
  const inPool = (message) => {
    const pool = Buffer.alloc(message.byteLength + 7);
    pool.set(new Uint8Array(message), 5);
    return pool.subarray(5, 5 + message.byteLength);
  };
  const text = JSON.stringify({ id: 1, text: 'é' });
  const [half, bytes] = [text.indexOf('é') + 1, Buffer.from(text)];
  results.receive(inPool(resultMessage(1, 0, 2, bytes.subarray(0, half))));
  results.receive(inPool(resultMessage(1, 1, 2, bytes.subarray(half))));
  assert.deepEqual((await client.results.next()).value, { id: 1, text: 'é' });
  client.close();
});

test('an acknowledgement that comes too late is no error', async () => {
  const { client, results } = await connected();
  results.receive(result(1));
  results.receive(result(2));
  const iterator = client.results;
  await iterator.next();
  results.send = () => {
    throw new Error('sendMessage() called on destroyed channel');
  };
  assert.equal((await iterator.next()).value.id, 2);
  const last = iterator.next();
  results.receive(completion());
  assert.equal((await last).done, true);
  results.closed();
});

test('a channel that says only by throwing that it has closed: the reason is waited for', async () => {
  const { client, upload, results } = await connected();
  upload.send = () => {
    throw new Error('the channel is closed');
  };
  const uploading = client.upload(new Blob(['x']));
  await settle();
  results.receive(completion('too-large', ['the file has at least 5 bytes']));
  await assert.rejects(uploading, { code: 'too-large', remote: true });
});

test('whoever reads results need not look at the upload as well', async () => {
  const lost = [];
  const onLost = (reason) => lost.push(reason);
  process.on('unhandledRejection', onLost);
  const { client, results } = await connected();
  client.upload(new Blob([new Uint8Array(CHUNK_BYTES)]));
  const reading = (async () => {
    for await (const { id } of client.results) assert.equal(id, 1);
  })();
  results.receive(completion('too-large', ['the file has at least 5 bytes']));
  await assert.rejects(reading, { code: 'too-large' });
  await settle();
  process.off('unhandledRejection', onLost);
  assert.deepEqual(lost, []);
});

test('results that cannot be read end the session', async () => {
  for (const message of [resultMessage(1, 0, 1, 'no JSON'), new ArrayBuffer(3)]) {
    const { client, results } = await connected();
    results.receive(message);
    await assert.rejects(client.completion, { code: 'bad-result' });
    assert.equal(ended, 1);
    ended = 0;
  }
});

test('an end that is not said in text is an end', async () => {
  const odd = { toString: 1, valueOf: 1 };
  const { client, results } = await connected();
  results.receive(completion(odd, [odd, null, 3]));
  await assert.rejects(client.completion, {
    code: '[object Object]',
    details: ['[object Object]', '[object Null]', '3'],
    remote: true,
  });
  const other = await connected();
  other.results.receive(completion(null, [odd]));
  assert.deepEqual((await other.client.completion).errors, ['[object Object]']);
  other.results.closed();
});

test('files that cannot be uploaded', async () => {
  const { client } = await connected();
  await assert.rejects(client.upload(new Blob([])), { code: 'empty-upload' });
  const gone = {
    size: 10,
    slice: () => ({
      arrayBuffer: async () => {
        throw new DOMException('changed', 'NotReadableError');
      },
    }),
  };
  await assert.rejects(client.upload(gone), { code: 'file-unreadable' });
});

test('signalling: what is asked, in either way', async () => {
  const requests = [];
  const server = http.createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const { method, url, headers } = request;
    requests.push({
      method,
      url,
      key: headers.authorization,
      type: headers['content-type'],
      body: Buffer.concat(parts).toString(),
    });
    const link = '<stun:stun.example.net>; rel="ice-server"';
    if (method === 'OPTIONS') response.writeHead(204, { Link: link }).end();
    else if (url.includes('upload')) {
      response.writeHead(201, { Location: 'upload/7' }).end('v=0 answer');
    } else response.writeHead(200).end('{"sdp": "v=0 answer", "type": "answer"}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${server.address().port}/video`;
  const options = { key: 'k', dataOutput: ['a', 'b'], workflow: 'people' };

  const whipped = await connect(base, { ...options, signalling: whip });
  assert.deepEqual(FakeConnection.last.configuration.iceServers, [
    { urls: 'stun:stun.example.net' },
  ]);
  await until('a question for the session', () => requests.length >= 4);
  whipped.close();
  await until('the end of the session', () => requests.length >= 5);
  // Asked while the others are on their way.
  const limits = ({ url }) => url === '/video/limits';
  assert.equal(requests.find(limits).key, undefined);
  const rest = requests.splice(0).filter((request) => !limits(request));
  assert.deepEqual(
    rest.map(({ method, url, key, type, body }) => [method, url, key, type, body]),
    [
      ['OPTIONS', '/video/upload', 'Bearer k', undefined, ''],
      [
        'POST',
        '/video/upload?realtime=false&data_output=a&data_output=b&workflow_id=people',
        'Bearer k',
        'application/sdp',
        'v=0 offer',
      ],
      ['GET', '/video/upload/7', 'Bearer k', undefined, ''],
      ['DELETE', '/video/upload/7', 'Bearer k', undefined, ''],
    ],
  );

  const dropped = await connect(base, { ...options, signalling: dropIn });
  dropped.close();
  const { method, url, key, body } = requests.find((request) => !limits(request));
  assert.deepEqual([method, url, key], ['POST', '/video/initialise_webrtc_worker', 'Bearer k']);
  const {
    webrtc_offer: offer,
    webrtc_realtime_processing: realtime,
    data_output: output,
    workflow_configuration: workflow,
  } = JSON.parse(body);
  assert.deepEqual(
    [offer, realtime, output, workflow.workflow_id],
    [{ type: 'offer', sdp: 'v=0 offer' }, false, ['a', 'b'], 'people'],
  );
  server.close();
  server.closeAllConnections();
});
