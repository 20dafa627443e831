// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The JavaScript client in wire v2 over several connections, without a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { uploadJs } from './upload_js.mjs';
import { READY, sha256, V2Peer } from './v2_server.mjs';
import { film, Session, until } from './v2_session.mjs';

const { UploadError } = uploadJs;

const BLOCK = 49152;
const SIZE = 40 * BLOCK;
const BYTES = film(SIZE);
const FILE = new File([BYTES], 'film.mp4', { type: 'video/mp4' });
const DONE = { type: 'done', size: SIZE, sha256: sha256(BYTES) };

// An upload over so many connections, none of which may send anything yet.
async function begin(connections, options = {}) {
  const session = await Session.start(SIZE, { connections, ...options });
  session.uploading = session.client.upload(FILE);
  session.uploading.catch(() => {});
  const peers = [await session.peer(0)];
  peers[0].say({ ...READY, credit: 0 });
  for (let number = 1; number < connections; number += 1) {
    const peer = await session.peer(number);
    assert.equal(peer.said[0].upload, READY.upload);
    assert.equal(session.connections[number].channels.inference, undefined);
    peer.say({ ...READY, credit: 0 });
    peers.push(peer);
  }
  return { session, peers };
}

// The peers take what comes, until one has heard the end.
async function take(peers) {
  await until('the end', () => {
    for (const peer of peers) peer.ack(10 * BLOCK);
    return peers.every((peer) => peer.has('end'));
  });
}

async function finish(session, peer) {
  assert.deepEqual(session.stored, BYTES);
  peer.say(DONE);
  assert.deepEqual(await session.uploading, { sha256: DONE.sha256, verified: true });
}

test('blocks go over all connections, each once, and those beside the first end with the upload', async () => {
  const { session, peers } = await begin(3);
  await take(peers);
  const offsets = peers.flatMap((peer) => peer.offsets).sort((a, b) => a - b);
  assert.deepEqual(
    offsets,
    Array.from({ length: 40 }, (_, index) => index * BLOCK),
  );
  for (const { offsets: of } of peers) assert.ok(of.length > 3, String(of.length));
  await finish(session, peers[1]);
  assert.deepEqual(session.ended, [1, 2]);
  assert.deepEqual(
    session.connections.map(({ closed }) => closed),
    [false, true, true],
  );
  session.client.close();
});

test('a slow connection holds nothing up', async () => {
  const { session, peers } = await begin(2);
  peers[0].ack(BLOCK); // One block, and never more.
  await until('it', () => peers[0].take() && peers[0].received === BLOCK);
  await until('all others', () => {
    peers[1].ack(10 * BLOCK);
    return peers[1].has('end');
  });
  // With the first one's block, if that took its time.
  assert.ok(peers[1].received >= SIZE - BLOCK);
  await finish(session, peers[1]);
  session.client.close();
});

test('what a connection does not bring at the end goes over another one as well', async () => {
  const { session, peers } = await begin(2);
  peers[0].ack(BLOCK);
  await until('a block', () => peers[0].take() && peers[0].received === BLOCK);
  const [stuck] = peers[0].offsets;
  session.stored.fill(0, stuck, stuck + BLOCK); // It never comes.
  await until('it over the other one', () => {
    peers[1].ack(10 * BLOCK);
    return peers[1].offsets.includes(stuck);
  });
  await until('the end', () => peers[1].has('end'));
  await finish(session, peers[1]);
  session.client.close();
});

test('what a lost connection had under way goes over the others', async () => {
  const { session, peers } = await begin(2);
  peers[1].ack(5 * BLOCK);
  await until('blocks', () => peers[1].take() && peers[1].received === 5 * BLOCK);
  const [first, ...rest] = peers[1].offsets;
  for (const offset of rest) session.stored.fill(0, offset, offset + BLOCK);
  peers[1].say({ type: 'ack', stored: BLOCK, received: BLOCK, credit: 5 * BLOCK });
  session.connections[1].become('failed');
  await take([peers[0]]);
  for (const offset of rest) assert.ok(peers[0].offsets.includes(offset));
  assert.equal(peers[0].offsets.includes(first), false);
  await finish(session, peers[0]);
  assert.deepEqual(session.states, ['connected']);
  session.client.close();
});

test('when the first one is lost, results come over another one, and nothing is interrupted', async () => {
  const { session, peers } = await begin(2);
  peers[0].ack(3 * BLOCK);
  await until('blocks', () => peers[0].take() && peers[0].received === 3 * BLOCK);
  session.connections[0].become('failed');
  await until('a channel for results', () => session.connections[1].channels.inference);
  assert.equal(session.connections[0].closed, true);
  await take([peers[1]]);
  await finish(session, peers[1]);
  assert.equal(session.connections[1].closed, false);
  assert.deepEqual(session.states, ['connected']);
  session.client.close();
});

test('when all are lost, there is one, and then others again', async () => {
  const { session, peers } = await begin(2);
  for (const peer of peers) peer.ack(2 * BLOCK);
  await until('blocks', () => peers.every((peer) => peer.take() && peer.received === 2 * BLOCK));
  for (const { channel } of peers) channel.closed();
  const third = await session.peer(2);
  assert.ok(session.connections[2].channels.inference);
  third.say({ ...READY, have: [[0, 2 * BLOCK]], credit: 0 });
  const fourth = await session.peer(3);
  fourth.say({ ...READY, credit: 0 });
  await take([third, fourth]);
  const again = [...third.offsets, ...fourth.offsets].filter((offset) => offset < 2 * BLOCK);
  assert.deepEqual(again, []);
  await finish(session, third);
  session.client.close();
});

test('further connections that fail harm nothing, and are not tried for ever', async () => {
  let tries = 0;
  const { session, peers } = await begin(1, {
    connections: 3,
    further: () => {
      tries += 1;
      throw new UploadError('server-error', 'x', { status: 500 });
    },
  });
  await until('two tries', () => tries === 2);
  await take(peers);
  await finish(session, peers[0]);
  assert.deepEqual(session.states, ['connected']);
  session.client.close();
});

test('after three failures, each with a longer pause behind it, there are no further tries', async (t) => {
  let now = performance.now();
  t.mock.method(performance, 'now', () => now);
  let tries = 0;
  const { session, peers } = await begin(1, {
    connections: 2,
    further: () => {
      tries += 1;
      throw new UploadError('server-error', 'x', { status: 500 });
    },
  });
  // So many that it has looked again; then there is no further try.
  const looks = () => new Promise((resolve) => setTimeout(resolve, 350));
  for (const [pause, expected] of [
    [0, 1],
    [1999, 1],
    [1, 2],
    [3999, 2],
    [1, 3],
    [100_000, 3],
  ]) {
    now += pause;
    await looks();
    assert.equal(tries, expected, `${pause} ms later`);
  }
  await take(peers);
  await finish(session, peers[0]);
  session.client.close();
});

test('one that the server does not let in costs nothing but itself', async () => {
  const { session, peers } = await begin(1, { connections: 2 });
  const refused = await session.peer(1);
  const error = { code: 'unknown-upload', message: 'no', resumable: false };
  refused.say({ type: 'error', ...error });
  await until('its end', () => session.connections[1].closed);
  await take(peers);
  await finish(session, peers[0]);
  session.client.close();
});

test('an error of one that has joined ends the upload', async () => {
  const { session, peers } = await begin(2);
  peers[1].say({ type: 'error', code: 'too-large', message: 'no', resumable: false });
  await assert.rejects(session.uploading, { code: 'too-large', remote: true });
  assert.deepEqual(
    session.connections.map(({ closed }) => closed),
    [true, true],
  );
});

test('no more than the server takes', async () => {
  const session = await Session.start(SIZE, { connections: 8 });
  session.uploading = session.client.upload(FILE);
  const first = await session.peer(0);
  first.say({ ...READY, max_connections: 2, credit: 0 });
  const second = await session.peer(1);
  second.say({ ...READY, max_connections: 2, credit: 0 });
  await take([first, second]);
  await finish(session, first);
  assert.equal(session.asked, 1);
  session.client.close();
});

// Half of a film over the first connection, whose way takes so many milliseconds for one keepalive after the other.
async function beginAuto(roundTrips) {
  const size = 120 * BLOCK;
  const session = await Session.start(size, { connections: 'auto' });
  const { channel } = new V2Peer(session.connections[0].channels.video_upload, session.stored);
  for (const [index, time] of roundTrips.entries()) {
    await until('a keepalive', () => channel.sent.length > index);
    assert.equal(channel.sent[index].length, 1);
    await new Promise((resolve) => setTimeout(resolve, time));
    channel.receive(new ArrayBuffer(1));
  }
  session.uploading = session.client.upload(new File([film(size)], 'film.mp4'));
  session.uploading.catch(() => {});
  const first = await session.peer(0);
  first.say({ ...READY, credit: 0 });
  return { session, first };
}

test('over a far way there are four at once', async () => {
  const { session, first } = await beginAuto([30, 25]);
  const peers = [first];
  for (let number = 1; number < 4; number += 1) {
    const peer = await session.peer(number);
    peer.say({ ...READY, credit: 0 });
    peers.push(peer);
  }
  assert.equal(session.asked, 3);
  // One that is lost is replaced.
  session.connections[2].become('failed');
  await session.peer(4);
  assert.equal(session.asked, 4);
  session.client.close();
  await assert.rejects(session.uploading, { code: 'cancelled' });
});

test('the shortest round trip counts: a busy machine is not a far way', async () => {
  const { session, first } = await beginAuto([40, 0, 30]);
  // Two looks.
  await until('progress', () => {
    first.ack(BLOCK);
    return first.received > 0;
  });
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.equal(session.asked, 0);
  session.client.close();
  await assert.rejects(session.uploading, { code: 'cancelled' });
});
