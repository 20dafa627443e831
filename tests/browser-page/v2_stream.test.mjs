// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The JavaScript client in wire v2 with a stream of unknown length, and with a session that is lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { resultMessage } from './fake_connection.mjs';
import { uploadJs } from './upload_js.mjs';
import { ID, READY, sha256 } from './v2_server.mjs';
import { film, Session, until } from './v2_session.mjs';

const { UploadError } = uploadJs;

const settle = async () => {
  for (let i = 0; i < 50; i += 1) await new Promise(setImmediate);
};

// A stream that gives what the test puts in, when it is asked.
class Tap {
  asked = 0;
  cancelled = null;
  stream = new ReadableStream(
    {
      start: (controller) => {
        this.controller = controller;
      },
      pull: () => {
        this.asked += 1;
      },
      cancel: (reason) => {
        this.cancelled = reason;
      },
    },
    { highWaterMark: 0 },
  );

  give(...chunks) {
    for (const chunk of chunks) this.controller.enqueue(chunk);
  }

  end() {
    this.controller.close();
  }
}

async function begin(size, options = {}) {
  const session = await Session.start(size);
  const tap = new Tap();
  session.uploading = session.client.upload(tap.stream, options);
  session.uploading.catch(() => {});
  const peer = await session.peer(0);
  return { session, tap, peer };
}

test('a stream of bytes and Blobs: sent as it comes, and verified at its end', async () => {
  const bytes = film(200_000);
  const seen = [];
  const { session, tap, peer } = await begin(bytes.length, {
    name: 'a.webm',
    contentType: 'video/webm',
    onProgress: (progress) => seen.push(progress),
  });
  const [{ size, name, content_type: type }] = peer.said;
  assert.deepEqual([size, name, type], [null, 'a.webm', 'video/webm']);
  peer.say(READY);
  tap.give(bytes.slice(0, 10));
  await until('ten bytes', () => peer.take() && peer.received === 10);
  tap.give(new Blob([bytes.slice(10, 150_000)]), bytes.slice(150_000, 150_007).buffer);
  tap.give(new DataView(bytes.buffer, 150_007), new Uint8Array(0));
  tap.end();
  await until('the end', () => peer.has('end'));
  const hash = sha256(bytes);
  assert.deepEqual(peer.said.at(-1), { type: 'end', size: bytes.length, sha256: hash });
  assert.deepEqual(session.stored, bytes);
  peer.say({ type: 'done', size: bytes.length, sha256: hash });
  assert.deepEqual(await session.uploading, { sha256: hash, verified: true });
  const { sent, total, fraction, secondsLeft } = seen.at(-1);
  assert.deepEqual([sent, total, fraction, secondsLeft], [bytes.length, null, null, null]);
  assert.equal(seen[0].total, null);
  session.client.close();
});

test('a Blob that is longer than a piece is read piece by piece, and to its end', async () => {
  const bytes = film(3 * 32 * 49_152 + 5);
  const { session, tap, peer } = await begin(bytes.length);
  peer.say(READY);
  tap.give(new Blob([bytes]), new Uint8Array(0));
  tap.end();
  await until('the end', () => {
    peer.ack(READY.credit);
    return peer.has('end');
  });
  assert.equal(peer.said.at(-1).size, bytes.length);
  assert.deepEqual(session.stored, bytes);
  session.client.close();
});

test('it is read no further than the server takes, and its bytes are kept until it has them', async () => {
  const part = 16_384;
  const bytes = film(40 * part);
  const { session, tap, peer } = await begin(bytes.length);
  peer.say({ ...READY, credit: 5 * part });
  for (let at = 0; at < bytes.length; at += part) tap.give(bytes.slice(at, at + part));
  tap.end();
  await until('as much as it takes', () => peer.take() && peer.received + 49_152 > 5 * part);
  await settle();
  // Beyond that one piece, and a block behind it.
  const waiting = -tap.controller.desiredSize;
  assert.ok(waiting > 25, `${waiting} of 40 parts wait`);

  // Lost are the second part and those behind it.
  session.stored.fill(0, part);
  session.connections[0].become('failed');
  const next = await session.peer(1);
  assert.deepEqual([next.said[0].upload, next.said[0].size], [ID, null]);
  next.say({ ...READY, have: [[0, part]] });
  await until('the end', () => next.has('end'));
  assert.ok(next.received >= bytes.length - part && next.received <= bytes.length);
  assert.deepEqual(session.stored, bytes);
  next.say({ type: 'done', size: bytes.length, sha256: sha256(bytes) });
  assert.equal((await session.uploading).verified, true);
  session.client.close();
});

test('a server that has lost what it said it had', async () => {
  const { session, tap, peer } = await begin(100);
  peer.say(READY);
  tap.give(film(100));
  await until('it', () => peer.take() && peer.received === 100);
  peer.ack(1000);
  peer.channel.closed();
  (await session.peer(1)).say({ ...READY, have: [[0, 50]] });
  await assert.rejects(session.uploading, { code: 'bad-answer', message: /from 50 on/ });
});

test('a stream that fails: the server is told why', async () => {
  const { session, tap, peer } = await begin(100);
  peer.say(READY);
  tap.give(film(10));
  await until('ten bytes', () => peer.take() && peer.received === 10);
  tap.controller.error(new Error('the camera was unplugged'));
  await assert.rejects(session.uploading, { code: 'stream-failed', message: /camera/ });
  peer.take();
  const { type, reason } = peer.said.at(-1);
  assert.deepEqual([type, reason], ['cancel', 'The stream has failed: the camera was unplugged']);
  peer.channel.closed();
});

test('a stream of something else, and an empty one', async () => {
  const odd = await begin(100);
  odd.peer.say(READY);
  odd.tap.give('text');
  await assert.rejects(odd.session.uploading, { code: 'stream-failed' });
  assert.equal(odd.tap.cancelled.code, 'stream-failed');
  const empty = await begin(100);
  empty.peer.say(READY);
  empty.tap.end();
  await assert.rejects(empty.session.uploading, { code: 'empty-upload' });
  for (const { peer } of [odd, empty]) assert.ok(peer.has('cancel'));
});

test('the stream is cancelled when the upload is, and when it fails', async () => {
  const stopped = await begin(100);
  stopped.session.client.close();
  await assert.rejects(stopped.session.uploading, { code: 'cancelled' });
  assert.equal(stopped.tap.cancelled.code, 'cancelled');
  const failed = await begin(100);
  failed.peer.say({ type: 'error', code: 'quota-exceeded', message: 'x', resumable: false });
  await assert.rejects(failed.session.uploading, { code: 'quota-exceeded' });
  assert.equal(failed.tap.cancelled.code, 'quota-exceeded');
});

test('a server that speaks v1 takes no stream', async () => {
  const session = await Session.start(1, { protocol: 'v1' });
  const tap = new Tap();
  await assert.rejects(session.client.upload(tap.stream), { code: 'unknown-size' });
  assert.equal(tap.cancelled.code, 'unknown-size');
  assert.equal(session.client.state, 'ended');
});

const BYTES = film(100_000);
const crashed = { state: 'ended', status: 'failed', code: 'crashed', message: 'ended by signal 9' };

// A session that is lost with its connection.
async function beginCrashing(content) {
  let lost = 0; // So many sessions.
  const session = await Session.start(BYTES.length, {
    status: async (post) => (post <= lost ? crashed : { state: 'running' }),
    further: () => {
      throw new UploadError('not-found', 'x', { status: 404 });
    },
  });
  session.crash = () => {
    lost += 1;
    session.connections.at(-1).become('failed');
  };
  session.uploading = session.client.upload(content);
  session.uploading.catch(() => {});
  (await session.peer(0)).say({ ...READY, credit: 50_000 });
  return session;
}

test('the session is lost amid the upload: a file begins anew', async () => {
  const session = await beginCrashing(new File([BYTES], 'film.mp4'));
  const first = await session.peer(0);
  await until('a block', () => first.take() && first.received > 0);
  session.crash();
  // One was to be a further connection of the session that is lost.
  const peer = await session.peer(2);
  assert.deepEqual([session.posts, session.restarts], [2, [['crashed', 1]]]);
  assert.equal(peer.said[0].upload, null);
  assert.notEqual(peer.said[0].nonce, first.said[0].nonce);
  assert.equal(session.connections[0].closed, true);
  session.stored.fill(0);
  peer.say(READY);
  await until('the end', () => peer.has('end'));
  assert.deepEqual(session.stored, BYTES);
  peer.say({ type: 'done', size: BYTES.length, sha256: sha256(BYTES) });
  assert.equal((await session.uploading).verified, true);
  const states = ['connected', 'interrupted', 'connecting', 'connected'];
  assert.deepEqual(session.states, states);
  // The results are those of the new session.
  const { results } = session.client;
  session.connections[2].channels.inference.receive(resultMessage(1, 0, 1, '{"id": 1}'));
  assert.deepEqual(await results.next(), { done: false, value: { id: 1 } });
  session.client.close();
});

test('it begins anew twice, and then says why not', async () => {
  const session = await beginCrashing(new File([BYTES], 'film.mp4'));
  for (const number of [0, 2, 4]) {
    const peer = await session.peer(number);
    if (number > 0) peer.say(READY);
    session.crash();
  }
  await assert.rejects(session.uploading, { code: 'crashed', message: 'ended by signal 9' });
  const restarts = [
    ['crashed', 1],
    ['crashed', 2],
  ];
  assert.deepEqual([session.posts, session.restarts], [3, restarts]);
});

test('a stream whose session is lost ends in one error', async () => {
  const tap = new Tap();
  const session = await beginCrashing(tap.stream);
  session.crash();
  await assert.rejects(session.uploading, { code: 'crashed' });
  assert.deepEqual([session.posts, session.restarts], [1, []]);
  assert.equal(tap.cancelled.code, 'crashed');
});
