// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The JavaScript client in wire v2, without a browser: against a peer connection and a server that the tests move by hand.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FileHash } from '../../src/web/upload/file_hash.js';
import { uploadJs } from './upload_js.mjs';
import { FakeConnection } from './fake_connection.mjs';
import { READY, sha256, slowCrc32c, V2Peer } from './v2_server.mjs';

const { connect, encodeBlock, Sha256 } = uploadJs;

globalThis.RTCPeerConnection = FakeConnection;

const signalling = async ({ offer }) => {
  await offer();
  return { answer: 'v=0 answer' };
};

async function connected(size, options = {}) {
  const client = await connect('http://server.invalid/', {
    signalling,
    protocol: 'v2',
    ...options,
  });
  const { video_upload: channel, inference: results } = FakeConnection.last.channels;
  const peer = new V2Peer(channel, new Uint8Array(size));
  return { client, channel, results, peer, connection: FakeConnection.last };
}

const settle = async () => {
  for (let i = 0; i < 50; i += 1) await new Promise(setImmediate);
};
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
const film = (size) => new Uint8Array(size).map((_, index) => (index * 7) ^ (index >> 9));
const fileOf = (bytes) => new File([bytes], 'film.mp4', { type: 'video/mp4' });

test('a block on the wire', () => {
  const block = encodeBlock(65536, new TextEncoder().encode('hello'));
  assert.equal(Buffer.from(block).toString('hex'), '010000005c9f29f4000001000000000068656c6c6f');
  const far = encodeBlock(2 ** 53 - 1, film(1003));
  const header = new DataView(far.buffer);
  assert.equal(header.getBigUint64(8, true), 2n ** 53n - 1n);
  assert.equal(header.getUint32(4, true), slowCrc32c(far.subarray(8)));
});

test('SHA-256, in parts of any size', () => {
  for (const size of [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000, 100_000]) {
    const bytes = film(size);
    for (const part of [1, 63, 64, 65, 4096]) {
      const hash = new Sha256();
      for (let at = 0; at < size; at += part) hash.update(bytes.subarray(at, at + part));
      assert.equal(hash.digest(), sha256(bytes), `${size} bytes in parts of ${part}`);
    }
  }
});

// As a browser's, with its messages for a test to look at.
class FakeWorker extends EventTarget {
  static last;
  received = [];

  constructor() {
    super();
    FakeWorker.last = this;
    queueMicrotask(() => this.say({ ready: true }));
  }

  postMessage(data, transfer) {
    this.received.push(structuredClone(data, { transfer }));
  }

  say(data) {
    this.dispatchEvent(new MessageEvent('message', { data }));
  }

  terminate() {}
}

test('a worker is behind by three pieces at most, whose memory is used again', async (t) => {
  globalThis.Worker = FakeWorker;
  t.after(() => delete globalThis.Worker);
  const hash = await FileHash.start();
  const { received } = FakeWorker.last;
  const say = (data) => FakeWorker.last.say(data);
  const pieces = [100, 2_000_000, 10, 60].map((size, index) =>
    new Uint8Array(size).fill(index + 1),
  );
  for (const piece of pieces.slice(0, 3)) await hash.update(piece);
  let taken = false;
  const fourth = hash.update(pieces[3]).then(() => {
    taken = true;
  });
  await settle();
  assert.equal(taken, false);
  assert.deepEqual(received, pieces.slice(0, 3));
  const memory = received[0].buffer;
  say({ hashed: memory });
  await fourth;
  assert.deepEqual(received[3], pieces[3]);
  assert.equal(memory.byteLength, 0, 'it was handed on');
  assert.equal(new Uint8Array(received[3].buffer)[99], 1, 'what was in it before');
  // What a caller has stays the caller's.
  assert.deepEqual(
    pieces.map(({ length }) => length),
    [100, 2_000_000, 10, 60],
  );
  // One that is too small makes place for another.
  say({ hashed: received[2].buffer });
  await hash.update(pieces[1]);
  assert.deepEqual(received[4], pieces[1]);
  const digest = hash.digest();
  say({ digest: 'abc' });
  assert.equal(await digest, 'abc');
});

test('an upload: hello, blocks within the credit, end, and verified by what the server says', async () => {
  const bytes = film(1_000_003);
  const { client, channel, peer } = await connected(bytes.length);
  assert.equal(channel.protocol, 'webrtcupload.v2');
  const seen = [];
  const uploading = client.upload(fileOf(bytes), { onProgress: ({ sent }) => seen.push(sent) });
  await until('a hello', () => has(peer, 'hello'));
  const { nonce, ...hello } = peer.said[0];
  assert.match(nonce, /^[0-9a-f]{32}$/);
  assert.deepEqual(hello, {
    type: 'hello',
    size: bytes.length,
    sha256: null,
    name: 'film.mp4',
    content_type: 'video/mp4',
    upload: null,
  });
  await settle();
  assert.equal(peer.received, 0); // No credit before ready.

  peer.say({ ...READY, credit: 100_000 });
  await until('blocks', () => peer.take() && peer.received === 98_304);
  await settle();
  peer.take();
  assert.equal(peer.received, 98_304, 'it waits for credit');
  peer.say({ type: 'ack', stored: 50_000, received: 50_000, credit: 900_000 });
  await until('more blocks', () => peer.take() && peer.received > 850_000);
  assert.ok(peer.received <= 900_000);
  await until('progress', () => seen.includes(50_000));
  // Never less than before.
  peer.say({ type: 'ack', stored: 40_000, received: 50_000, credit: 1 });
  peer.say({ type: 'new-type' });
  peer.channel.receive(new ArrayBuffer(1));
  peer.say({ type: 'ack', stored: 900_000, received: 900_000, credit: 2_000_000 });
  await until('the end', () => has(peer, 'end'));
  assert.deepEqual(peer.said.at(-1), {
    type: 'end',
    size: bytes.length,
    sha256: sha256(bytes),
  });
  assert.equal(sha256(peer.stored), sha256(bytes));
  peer.say({ type: 'done', size: bytes.length, sha256: sha256(bytes).toUpperCase() });
  assert.deepEqual(await uploading, { sha256: sha256(bytes), verified: true });
  assert.equal(seen.at(-1), bytes.length);
  assert.equal(channel.readyState, 'closing');
  client.close();
});

test('it holds no more than the buffer has room for', async () => {
  const { client, channel, peer } = await connected(2_000_000);
  client.upload(fileOf(film(2_000_000)));
  await until('a hello', () => has(peer, 'hello'));
  peer.say(READY);
  await until('a full buffer', () => channel.bufferedAmount > 256 * 1024);
  await settle();
  assert.ok(channel.peak <= 256 * 1024 + 49152 + 16, String(channel.peak));
  client.close();
});

test('smaller blocks, where the server wants them', async () => {
  const { client, peer } = await connected(10_000);
  client.upload(fileOf(film(10_000)));
  await until('a hello', () => has(peer, 'hello'));
  peer.say({ ...READY, max_payload: 3000 });
  await until('the end', () => has(peer, 'end'));
  assert.deepEqual(peer.offsets, [0, 3000, 6000, 9000]);
  client.close();
});

test('a server that has something else than was sent', async () => {
  for (const [done, code] of [
    [{ size: 5, sha256: sha256('other') }, 'hash-mismatch'],
    [{ size: 6, sha256: sha256('hello') }, 'size-mismatch'],
  ]) {
    const { client, peer } = await connected(5);
    const uploading = client.upload(fileOf('hello'));
    await until('a hello', () => has(peer, 'hello'));
    peer.say(READY);
    await until('the end', () => has(peer, 'end'));
    peer.say({ type: 'done', ...done });
    await assert.rejects(uploading, { code, remote: false });
  }
});

test('an error of the server ends it, with its code', async () => {
  const { client, peer, connection } = await connected(5);
  const uploading = client.upload(fileOf('hello'));
  await until('a hello', () => has(peer, 'hello'));
  const message = 'the file has 5 bytes, at most 4 are accepted';
  const error = { code: 'too-large', message, resumable: false, retry_after: 7 };
  peer.say({ type: 'error', ...error });
  const told = { code: 'too-large', message, remote: true, retryAfter: 7 };
  await assert.rejects(uploading, told);
  await assert.rejects(client.completion, told);
  assert.equal(connection.closed, true);
});

test('a server that says nonsense', async () => {
  for (const nonsense of [
    'no JSON',
    '[]',
    '{"type": 3}',
    JSON.stringify({ ...READY, have: [[5, 2]] }),
    JSON.stringify({
      ...READY,
      have: [
        [0, 5],
        [3, 9],
      ],
    }),
    JSON.stringify({ ...READY, have: [[0, 1, 2]] }),
    JSON.stringify({ ...READY, upload: 'x' }),
    JSON.stringify({ ...READY, credit: -1 }),
    JSON.stringify({ ...READY, credit: 1.5 }),
    JSON.stringify({ ...READY, max_payload: 0 }),
    JSON.stringify({ type: 'done', size: 5, sha256: sha256('hello') }),
    JSON.stringify({ type: 'error', code: { toString: 1 }, message: '', resumable: false }),
  ]) {
    const { client, peer } = await connected(5);
    const uploading = client.upload(fileOf('hello'));
    await until('a hello', () => has(peer, 'hello'));
    peer.channel.receive(nonsense);
    await assert.rejects(uploading, { code: 'bad-answer' }, nonsense);
  }
});

test('cancelled: the server is told before the connection is closed', async () => {
  const { client, channel, peer, connection } = await connected(5);
  const controller = new AbortController();
  const uploading = client.upload(fileOf('hello'), { signal: controller.signal });
  await until('a hello', () => has(peer, 'hello'));
  controller.abort();
  await assert.rejects(uploading, { code: 'cancelled', remote: false });
  assert.equal(has(peer, 'cancel'), true);
  assert.equal(client.state, 'ended');
  assert.equal(connection.closed, false);
  channel.closed();
  await settle();
  assert.equal(connection.closed, true);
});

test('the name is what the server takes', async () => {
  const file = new File(['x'], `a\u0007b${'😀'.repeat(100)}.mp4`, { type: '' });
  const { client, peer } = await connected(1);
  client.upload(file);
  await until('a hello', () => has(peer, 'hello'));
  const { name, content_type: type } = peer.said[0];
  assert.equal(name, `ab${'😀'.repeat(63)}`);
  assert.equal(type, null);
  client.close();
});

test('a file that cannot be read any more', async () => {
  const gone = {
    size: 10,
    slice: () => ({
      arrayBuffer: async () => {
        throw new DOMException('changed', 'NotReadableError');
      },
    }),
  };
  const { client, peer } = await connected(10);
  const uploading = client.upload(gone);
  await until('a hello', () => has(peer, 'hello'));
  peer.say(READY);
  await assert.rejects(uploading, { code: 'file-unreadable' });
});
