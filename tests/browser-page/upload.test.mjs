// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The JavaScript client without a browser: its formats by themselves, and its conduct against a peer connection that the
// tests move by hand.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { beforeEach, test } from 'node:test';

import * as module from '../../src/web/upload.js';
import { Findings } from '../../src/web/results.js';
import * as words from '../../src/web/words.js';

const {
  CHUNK_BYTES,
  connect,
  dropIn,
  encodeChunk,
  errorFromReply,
  getLimits,
  parseIceLinks,
  ProgressMeter,
  ResultAssembler,
  UploadError,
  whip,
} = module;

// --- formats ----------------------------------------------------------------------------------

const resultMessage = (frameId, index, total, piece) => {
  const bytes = typeof piece === 'string' ? new TextEncoder().encode(piece) : piece;
  const message = new Uint8Array(12 + bytes.length);
  const header = new DataView(message.buffer);
  [frameId, index, total].forEach((value, at) => header.setUint32(4 * at, value, true));
  message.set(bytes, 12);
  return message.buffer;
};

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
  assert.ok(wait(new Date(Date.now() + 60_000).toUTCString()) > 50);
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

test('numbers as people write them', () => {
  assert.deepEqual([0, 999, 1000, 15200, 524288000, 999600].map(words.bytes), [
    '0 bytes',
    '999 bytes',
    '1 kB',
    '15.2 kB',
    '524 MB',
    '1 MB',
  ]);
  assert.deepEqual(
    [0, 59.6, 75, 3600, 3661].map((time) => words.clock(time)),
    ['0:00', '1:00', '1:15', '1:00:00', '1:01:01'],
  );
  assert.deepEqual(
    [0, 3.48, 59.999, 3600.5].map((time) => words.clock(time, 2)),
    ['0:00.00', '0:03.48', '1:00.00', '1:00:00.50'],
  );
  assert.deepEqual([null, 0.2, 59, 60, 5400].map(words.timeLeft), [
    '',
    '1 s left',
    '59 s left',
    '1 min left',
    '1.5 h left',
  ]);
  const film = { name: 'Film.MKV', type: 'video/x-matroska' };
  assert.deepEqual(
    [['.mkv'], ['mkv'], ['video/*'], ['video/x-matroska'], ['.mp4', 'video/mp4']].map((formats) =>
      words.matchesFormat(film, formats),
    ),
    [true, true, true, true, false],
  );
});

test('every error of the protocol has words of its own', () => {
  const protocol = fs.readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
  const ours = [
    'bad-answer',
    'connect-timeout',
    'file-unreadable',
    'network-failed',
    'payment-required',
    'timeout_reached',
    'too-many-sessions',
    'unsupported',
  ];
  // A sender that breaks the protocol is no person's business.
  const internal = ['malformed-message', 'total-changed', 'bad-index', 'conflicting-chunk'];
  const codes = [...protocol.matchAll(/^\| `([a-z-]+)` \|/gm)]
    .map(([, code]) => code)
    .filter((code) => code.includes('-') && !code.startsWith('max-') && !internal.includes(code));
  assert.ok(codes.length >= 8, codes.join(' '));
  for (const code of [...codes, ...ours]) {
    const { title, advice } = words.explain(new UploadError(code, 'x'), null);
    assert.notEqual(title, 'Something went wrong.', code);
    assert.ok(advice.length > 0, code);
  }
  for (const odd of ['new-one', 'constructor', '__proto__', 'toString', '']) {
    assert.equal(
      words.explain(new UploadError(odd, 'x'), null).title,
      'Something went wrong.',
      odd,
    );
  }
});

test('how long to wait, where the server says it', () => {
  const busy = (more) => words.explain(new UploadError('too-many-sessions', 'Busy.', more)).advice;
  assert.equal(busy({}), 'Wait a little and try again.');
  assert.equal(busy({ retryAfter: 0 }), 'Wait a little and try again.');
  assert.equal(busy({ retryAfter: 1 }), 'Wait 1 second and try again.');
  assert.equal(busy({ retryAfter: 5 }), 'Wait 5 seconds and try again.');
});

test('what is kept of results, and found again by time', async () => {
  const findings = new Findings();
  assert.equal(findings.frameAt(0), -1);
  const frame = (number, outputs) => ({
    serialized_output_data: outputs,
    video_metadata: {
      frame_id: number,
      pts: (number - 1) * 3600,
      time_base: 1 / 90000,
      width: 320,
      height: 240,
    },
  });
  const box = { x: 30, y: 40, width: 20, height: 10, confidence: 0.5, class: 'box' };
  const kept = [1, 2, 3, 4].map((number) =>
    findings.add(frame(number, { predictions: { predictions: new Array(number - 1).fill(box) } })),
  );
  assert.deepEqual(
    kept.map(({ time, found }) => [Math.round(time * 100), found.length]),
    [
      [0, 0],
      [4, 1],
      [8, 2],
      [12, 3],
    ],
  );
  assert.deepEqual([findings.frames, findings.framesWithBoxes, findings.width], [4, 3, 320]);
  assert.deepEqual(
    [-1, 0, 0.019, 0.021, 0.04, 0.08, 0.12, 0.17, 0.19].map((time) => findings.frameAt(time)),
    [-1, 0, 0, 1, 1, 2, 3, 3, -1],
  );
  assert.deepEqual(
    [0, 1, 2, 3].map((number) => findings.boxCount(number)),
    [0, 1, 2, 3],
  );
  assert.deepEqual(
    [...findings.boxes(1)],
    [{ x: 20, y: 35, w: 20, h: 10, confidence: 0.5, label: 0 }],
  );
  assert.deepEqual([...findings.classes], [['box', 6]]);

  // Without a time, without outputs, with outputs of another kind, from a pipeline of the operator's.
  for (const odd of [
    {},
    { serialized_output_data: null, video_metadata: null },
    frame(9, { a: null, b: '' }),
  ]) {
    assert.deepEqual(findings.add(odd).found, []);
  }
  const said = findings.add(
    frame(10, { transcript: 'hello', image: { type: 'base64', value: '' }, level: 3 }),
  );
  assert.deepEqual(said.found, [{ words: 'transcript: hello' }, { words: 'level: 3' }]);
  const code = findings.add(
    frame(11, { predictions: { predictions: [{ ...box, class: 'EAN-13', text: '40' }] } }),
  );
  assert.equal(code.found[0].words, 'EAN-13 40');

  const lines = (await findings.download().text()).trimEnd().split('\n');
  assert.equal(lines.length, 9);
  assert.equal(JSON.parse(lines[3]).video_metadata.frame_id, 4);
});

test('a server that says anything: what is kept are numbers and short text', () => {
  const findings = new Findings();
  const { found } = findings.add({
    video_metadata: { pts: 0, time_base: 1, width: [], height: 'tall' },
    serialized_output_data: JSON.parse(`{
      "__proto__": { "polluted": true },
      "predictions": {
        "image": { "width": { "valueOf": 1, "toString": 1 }, "height": 2 },
        "predictions": [
          null, 3, "x", [],
          { "class": { "toString": 1 }, "x": { "valueOf": 1, "toString": 1 }, "y": "7" },
          { "class": "__proto__", "x": 1e999, "y": 1, "width": 2, "height": 2 },
          { "class": "${'long '.repeat(1000)}", "x": 1, "y": 1, "width": 2, "height": 2 }
        ]
      }
    }`),
  });
  assert.deepEqual(
    found.slice(0, 6).map(({ words: text }) => text),
    ['something', 'something', 'something', 'something', 'something', '__proto__'],
  );
  assert.equal(found[6].words.length, 300);
  assert.ok(Number.isNaN(found[4].x) && Number.isNaN(found[4].y));
  assert.equal({}.polluted, undefined);
  assert.equal(findings.boxCount(0), 7);

  const many = new Array(1e6).fill({ x: 1, y: 1, width: 1, height: 1, class: 'dot' });
  const crowd = findings.add({
    video_metadata: { pts: 1, time_base: 1 },
    serialized_output_data: { predictions: { predictions: many } },
  });
  assert.equal(crowd.found.length, 5000);
  assert.equal(findings.boxCount(1), 5000);
});

test('limits', async () => {
  const replies = {
    '/a/limits': [200, '{"max_size": 5, "keys_required": true, "formats": ["video/mp4"]}'],
    '/b/limits': [200, 'no JSON'],
    '/d/limits': [200, '{"max_size": "x", "formats": 3}'],
    '/e/limits': [500, ''],
    '/f/limits': [200, '{"max_size": {"valueOf": 1, "toString": 1}, "formats": [{"toString": 1}]}'],
  };
  const server = http.createServer((request, response) => {
    const [status, body] = replies[request.url] ?? [404, ''];
    response.writeHead(status).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${server.address().port}`;
  assert.deepEqual(await getLimits(`${base}/a`), {
    maxSize: 5,
    keysRequired: true,
    formats: ['video/mp4'],
  });
  assert.equal(await getLimits(`${base}/b/`), null);
  assert.equal(await getLimits(`${base}/c/`), null);
  assert.deepEqual(await getLimits(`${base}/d/`), {
    maxSize: null,
    keysRequired: false,
    formats: [],
  });
  assert.deepEqual(await getLimits(`${base}/f/`), {
    maxSize: null,
    keysRequired: false,
    formats: ['[object Object]'],
  });
  await assert.rejects(getLimits(`${base}/e/`), { code: 'server-error', status: 500 });
  server.close();
  server.closeAllConnections();
  await assert.rejects(getLimits(`${base}/a`), { code: 'network-failed' });
});

// --- conduct ----------------------------------------------------------------------------------

class FakeChannel extends EventTarget {
  readyState = 'connecting';
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  peak = 0;
  sent = [];

  send(message) {
    if (this.readyState !== 'open') throw new DOMException('not open', 'InvalidStateError');
    this.sent.push(typeof message === 'string' ? message : message.slice());
    this.bufferedAmount += message.length;
    this.peak = Math.max(this.peak, this.bufferedAmount);
  }

  // The network takes so much.
  drain(amount = this.bufferedAmount) {
    const before = this.bufferedAmount;
    this.bufferedAmount -= Math.min(before, amount);
    const low = this.bufferedAmountLowThreshold;
    if (before > low && this.bufferedAmount <= low) {
      this.dispatchEvent(new Event('bufferedamountlow'));
    }
  }

  open() {
    this.readyState = 'open';
    this.dispatchEvent(new Event('open'));
  }

  // By this side. What follows is closed(), once the other side has done the same.
  close() {
    if (this.readyState === 'open') this.readyState = 'closing';
  }

  closed() {
    this.readyState = 'closed';
    this.dispatchEvent(new Event('close'));
  }

  receive(data) {
    this.dispatchEvent(new MessageEvent('message', { data }));
  }
}

class FakeConnection extends EventTarget {
  static last;
  channels = {};
  connectionState = 'new';
  iceGatheringState = 'complete';
  closed = false;

  constructor(configuration) {
    super();
    this.configuration = configuration;
    FakeConnection.last = this;
  }

  setConfiguration(configuration) {
    this.configuration = configuration;
  }

  createDataChannel(label) {
    this.channels[label] = new FakeChannel();
    return this.channels[label];
  }

  async createOffer() {
    return { type: 'offer', sdp: 'v=0 offer' };
  }

  async setLocalDescription(description) {
    this.localDescription = description;
  }

  async setRemoteDescription({ sdp }) {
    if (sdp.includes('nonsense')) throw new DOMException('no', 'OperationError');
    this.become('connected');
    for (const channel of Object.values(this.channels)) channel.open();
  }

  become(state) {
    this.connectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }

  close() {
    this.closed = true;
    for (const channel of Object.values(this.channels)) channel.readyState = 'closed';
  }
}

globalThis.RTCPeerConnection = FakeConnection;
let ended;
beforeEach(() => {
  ended = 0;
});
const signalling = async ({ offer }) => {
  await offer();
  return {
    answer: 'v=0 answer',
    end: () => {
      ended += 1;
    },
  };
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
  await settle();
  const before = upload.sent.length;
  assert.ok(before > 2 && before < 10, `${before} chunks before the buffer drains`);
  await settle();
  assert.equal(upload.sent.length, before); // It waits.
  while (upload.sent.length < 102) {
    upload.drain();
    await settle();
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
  await settle();
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
  await settle();
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

  const { client, connection } = await connected();
  const late = new AbortController();
  const uploading = client.upload(new Blob([new Uint8Array(100 * CHUNK_BYTES)]), {
    signal: late.signal,
  });
  const reading = client.results.next();
  await settle();
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
  upload.send = () => {
    upload.readyState = 'closed';
    throw new DOMException('not open', 'InvalidStateError');
  };
  const uploading = client.upload(new Blob(['x']));
  uploading.catch(() => {});
  await settle();
  FakeConnection.last.become('failed');
  await assert.rejects(uploading, { code: 'peer-gone' });
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
  whipped.close();
  while (requests.length < 3) await turn();
  assert.deepEqual(
    requests.splice(0).map(({ method, url, key, type, body }) => [method, url, key, type, body]),
    [
      ['OPTIONS', '/video/upload', 'Bearer k', undefined, ''],
      [
        'POST',
        '/video/upload?realtime=false&data_output=a&data_output=b&workflow_id=people',
        'Bearer k',
        'application/sdp',
        'v=0 offer',
      ],
      ['DELETE', '/video/upload/7', 'Bearer k', undefined, ''],
    ],
  );

  const dropped = await connect(base, { ...options, signalling: dropIn });
  dropped.close();
  const [{ method, url, key, body }] = requests;
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
