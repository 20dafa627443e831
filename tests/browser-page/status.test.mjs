// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the JavaScript client makes of a connection that says nothing more: it asks the server how
// the session is. Against a peer connection and a server that the tests move by hand.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { beforeEach, test } from 'node:test';

import { uploadJs } from './upload_js.mjs';
import { FakeConnection, resultMessage } from './fake_connection.mjs';

const { CHUNK_BYTES, connect, dropIn, UploadError, whip } = uploadJs;

globalThis.RTCPeerConnection = FakeConnection;

const RUNNING = { state: 'running', status: null, code: null, message: null };
const crashed = (message = 'the process of the session was ended by signal 9') => ({
  state: 'ended',
  status: 'failed',
  code: 'crashed',
  message,
  frames: 3,
});
const refused = () => Promise.reject(new UploadError('network-failed', 'x could not be reached.'));
const replied = (status) => () => Promise.reject(new UploadError('not-found', 'x', { status }));

let asked; // How often.
let said; // What the server says of the session: a value, or a function.
let ended;
beforeEach(() => {
  asked = 0;
  ended = 0;
  said = RUNNING;
});

const signalling = async ({ offer }) => {
  await offer();
  return {
    answer: 'v=0 answer',
    end: () => {
      ended += 1;
    },
    status: async () => {
      asked += 1;
      return typeof said === 'function' ? said() : said;
    },
  };
};

async function connected(options = {}) {
  const client = await connect('http://server.invalid/', { signalling, ...options });
  const { video_upload: upload, inference: results } = FakeConnection.last.channels;
  return { client, upload, results, connection: FakeConnection.last };
}

async function until(what, condition) {
  const end = Date.now() + 60_000;
  while (!condition()) {
    assert.ok(Date.now() < end, `not within a minute: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

const told = { code: 'crashed', message: /signal 9/, remote: true };

test('a session that ends amid the upload is told by the silence, without any event', async () => {
  const { client, upload } = await connected();
  const uploading = client.upload(new Blob([new Uint8Array(100 * CHUNK_BYTES)]));
  uploading.catch(() => {});
  await until('a full buffer', () => upload.bufferedAmount > 256 * 1024);
  said = crashed();
  await assert.rejects(uploading, told);
  await assert.rejects(client.completion, told);
  assert.equal(client.state, 'ended');
  assert.equal(ended, 0, 'there is nothing to delete');
});

test('a session that ends amid the results', async () => {
  const { client, results } = await connected();
  results.receive(resultMessage(1, 0, 1, '{"id": 1}'));
  said = crashed();
  const ids = [];
  await assert.rejects(async () => {
    for await (const { id } of client.results) ids.push(id);
  }, told);
  assert.deepEqual(ids, [1]);
});

test('a session that ends before it is connected', async () => {
  said = crashed();
  const stuck = class extends FakeConnection {
    async setRemoteDescription() {}
  };
  globalThis.RTCPeerConnection = stuck;
  await assert.rejects(connected(), told);
  globalThis.RTCPeerConnection = FakeConnection;
});

test('who hears from the server asks once, at the beginning; a silent one is asked less and less', async () => {
  const { client, results } = await connected();
  await until('the first question', () => asked === 1);
  const end = Date.now() + 5000;
  for (let id = 1; Date.now() < end; id += 1) {
    results.receive(resultMessage(id, 0, 1, '{}'));
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
  // In so long a silent one is asked twice more; a machine that stood still may cause one.
  assert.ok(asked <= 2, String(asked));
  // After 1.5 s, and after 3 s more.
  asked = 0;
  await until('another question', () => asked === 1);
  const second = Date.now();
  await until('a third question', () => asked === 2);
  assert.ok(Date.now() - second >= 2900, `${Date.now() - second} ms`);
  client.close();
  assert.equal(ended, 1);
});

test('an interrupted connection: asked at once, and what comes back stays', async () => {
  const { client, connection } = await connected();
  await until('the first question', () => asked === 1);
  connection.become('disconnected');
  await until('the next question', () => asked === 2);
  connection.become('connected');
  assert.equal(client.state, 'connected');
  connection.become('disconnected');
  said = crashed();
  await assert.rejects(client.completion, told);
});

test('a lost connection: the server says why, if it knows', async () => {
  for (const lose of [
    ({ connection }) => connection.become('failed'),
    ({ results }) => results.closed(),
  ]) {
    said = RUNNING;
    const first = await connected();
    await until('the first question', () => asked > 0);
    said = crashed();
    lose(first);
    await assert.rejects(first.client.completion, told);

    // It runs, as far as it knows; or it has lost us, or was done, and we did not hear of that.
    for (const answer of [
      RUNNING,
      { state: 'ended', status: 'failed', code: 'peer-gone', message: 'you are gone' },
      { state: 'ended', status: 'done', code: null, message: null },
    ]) {
      said = RUNNING;
      const other = await connected();
      said = answer;
      lose(other);
      const lost = { code: 'peer-gone', message: 'The connection to the server was lost.' };
      await assert.rejects(other.client.completion, lost);
    }
  }
});

test('a server that is gone', async () => {
  const gone = { code: 'server-gone', remote: false };
  const silent = await connected();
  await until('the first question', () => asked === 1);
  said = refused;
  await assert.rejects(silent.client.completion, gone);
  assert.ok(asked >= 4, 'it was given the chance to be back');

  // With another one in its place, which only counts once the connection is in trouble.
  said = RUNNING;
  const restarted = await connected();
  await until('the first question', () => asked > 4);
  said = replied(404);
  const before = asked;
  await until('more questions', () => asked > before + 1);
  assert.equal(restarted.client.state, 'connected');
  restarted.connection.become('disconnected');
  await assert.rejects(restarted.client.completion, gone);

  // A proxy that has no server any more.
  said = RUNNING;
  asked = 0;
  const behind = await connected();
  await until('the first question', () => asked === 1);
  said = replied(502);
  behind.connection.become('failed');
  await assert.rejects(behind.client.completion, gone);
  assert.equal(ended, 0);
});

test('a server that refuses for a moment has time to be back', async () => {
  const { client } = await connected();
  await until('the first question', () => asked === 1);
  said = refused;
  await until('two refusals', () => asked === 3);
  said = RUNNING;
  const before = asked;
  await until('a good answer', () => asked > before);
  said = refused;
  await until('a refusal', () => asked > before + 1);
  said = RUNNING;
  await until('a good answer', () => asked > before + 2);
  assert.equal(client.state, 'connected');
  client.close();
});

test('servers that do not speak of their sessions are left alone', async () => {
  for (const answer of [refused, replied(404), replied(405), {}, null, '<html>']) {
    said = answer;
    asked = 0;
    const { client, connection } = await connected();
    await until('the first question', () => asked === 1);
    connection.become('disconnected');
    await new Promise((resolve) => {
      setTimeout(resolve, 1500);
    });
    assert.equal(client.state, 'interrupted', String(answer));
    connection.become('failed');
    await assert.rejects(client.completion, { code: 'peer-gone' });
  }
});

test('an end by this side ends the questions', async () => {
  const { client } = await connected();
  await until('the first question', () => asked === 1);
  client.close();
  await new Promise((resolve) => {
    setTimeout(resolve, 2000);
  });
  assert.equal(asked, 1);
});

test('both ways of signalling know where to ask, and with which key', async () => {
  const requests = [];
  const server = http.createServer((request, response) => {
    const { method, url, headers } = request;
    requests.push(`${method} ${url} ${headers.authorization}`);
    request.resume();
    if (method === 'GET') response.writeHead(200).end(JSON.stringify(crashed()));
    else if (method === 'OPTIONS') response.writeHead(204).end();
    else response.writeHead(201, { Location: '/sessions/7' }).end('{"sdp": "v=0 answer"}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${server.address().port}`;
  for (const way of [whip, dropIn]) {
    // The answer of WHIP is text.
    const session = await way({
      url: base,
      offer: async () => 'v=0 offer',
      wishes: { realtime: false, dataOutput: [] },
      key: 'k',
      signal: new AbortController().signal,
    });
    assert.deepEqual(await session.status(new AbortController().signal), crashed());
    assert.equal(requests.at(-1), 'GET /sessions/7 Bearer k');
  }
  server.close();
  server.closeAllConnections();
});
