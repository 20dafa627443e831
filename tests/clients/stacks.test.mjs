// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The server with programs on one of the WebRTC stacks that there are for Node, which is the first argument: with upload.js,
// and with clients that do what upload.js does not.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { connect, dropIn, whip } from '../../src/web/upload.js';
import { FRAMES, Server, WORK, analyseSlowly, checkResult, drawFilms, within } from '../browser/support.mjs';
import { run, test } from '../browser/tap.mjs';
import { Client, event, stacks } from './stacks.mjs';

const name = process.argv[2];
const stack = await stacks[name]();
globalThis.RTCPeerConnection = stack.RTCPeerConnection;

const films = fs.mkdtempSync(path.join(os.tmpdir(), 'webrtcupload-films-'));
const filmPath = (film) => path.join(films, `${film}.mp4`);
const filmOf = (film) => fs.readFileSync(filmPath(film));
let server;

const serving = async (body, ...options) => {
  server = await Server.start(...options);
  try {
    await body();
    await server.idle();
    await server.stop();
  } finally {
    await server.kill();
  }
};

// An upload with upload.js, and everything that the server found.
async function upload(film, options, onResult = () => {}) {
  const client = await within('a connection', connect(server.url, { connectTimeout: WORK, ...options }), WORK);
  const uploading = client.upload(new Blob([filmOf(film)]));
  let number = 0;
  for await (const result of client.results) {
    number += 1;
    checkResult(result, number);
    await onResult();
  }
  await uploading;
  await client.completion;
  assert.equal(number, FRAMES[film]);
}

test('upload.js, through either endpoint', () =>
  serving(async () => {
    let session = 0;
    for (const signalling of [whip, dropIn]) {
      await within('an upload', upload('short', { signalling }), WORK);
      const end = await server.end((session += 1));
      assert.deepEqual([end.status, end.frames], ['done', FRAMES.short], JSON.stringify(end));
    }
  }));

// docs/javascript.md, with the server and the film of this test.
function sampleOfDocuments() {
  const text = fs.readFileSync(new URL('../../docs/javascript.md', import.meta.url), 'utf8');
  const [, code] = text.match(/^### In Node$.*?^```js\n(.*?)^```$/ms);
  const [, row] = text.match(new RegExp('^\\| [^|]*' + name + ' [^|]*\\| `(.*)` \\|$', 'm'));
  const changes = [
    [/^import .*polyfill';$/m, row],
    ["'./upload.js'", "'../../src/web/upload.js'"],
    ["'http://127.0.0.1:8080/'", `'${server.url}'`],
    ["'film.mp4'", `'${filmPath('short')}'`],
  ];
  return changes.reduce((changed, [from, to]) => {
    assert.ok(changed.match(from), from);
    return changed.replace(from, () => to);
  }, code);
}

// A program ends by itself when there is nothing left to do.
test(`the program that the documents show${fs.openAsBlob ? '' : ' # SKIP Node 18 has no openAsBlob'}`, () =>
  serving(async () => {
    if (!fs.openAsBlob) return;
    const program = spawn(process.execPath, ['--input-type=module', '-e', sampleOfDocuments()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    program.stdout.on('data', (data) => {
      output += data;
    });
    const [status, signal] = await within('the end of the program', once(program, 'close'), WORK);
    assert.deepEqual([status, signal, output], [0, null, `${FRAMES.short}\n`]);
  }));

test('upload.js with a film of many chunks, and a reader that takes its time', () =>
  serving(async () => {
    await within('an upload', upload('large', {}, () => sleep(10)), WORK);
    const end = await server.end();
    assert.deepEqual([end.status, end.frames], ['done', FRAMES.large], JSON.stringify(end));
    assert.equal(end.bytes, filmOf('large').length);
  }));

test('video comes back', () =>
  serving(async () => {
    let packets = 0;
    let enough;
    const came = new Promise((resolve) => {
      enough = resolve;
    });
    const onPacket = () => {
      packets += 1;
      if (packets === 10) enough();
    };
    const client = new Client(stack.offerVideo(onPacket, { iceServers: [] }));
    await within('a connection', client.connect(server.url, { stream_output: ['image'] }), WORK);
    client.send(filmOf('short'));
    await within('the video', came, WORK);
    const { termination_reason: reason } = await within('the last result', client.completed, WORK);
    assert.equal(reason, null);
    client.resultsChannel.close();
    assert.equal((await server.end()).status, 'done');
    client.connection.close();
  }));

for (const [shape, makeConnection] of Object.entries(stack.offers)) {
  test(`an offer ${shape}`, () =>
    serving(async () => {
      const client = new Client(await makeConnection());
      await within('a connection', client.connect(server.url), WORK);
      client.send(filmOf('short'));
      const { termination_reason: reason } = await within('the last result', client.completed, WORK);
      assert.equal(reason, null);
      assert.equal(client.results.length, FRAMES.short);
      const kinds = (sdp) => sdp.match(/^m=\w+/gm);
      assert.deepEqual(kinds(client.answer), kinds(client.offer));
      client.resultsChannel.close();
      assert.equal((await server.end()).status, 'done');
      client.connection.close();
    }));
}

// A stack may lose what still waits in the channel. Then the upload fails for this reason; it never passes for a whole one.
test('clients that leave right after their last chunk', () =>
  serving(async () => {
    const film = filmOf('large');
    let session = 0;
    for (const leave of ['channel', 'connection']) {
      const client = new Client(new stack.RTCPeerConnection({ iceServers: [] }));
      await within('a connection', client.connect(server.url), WORK);
      // The server knows the channel.
      const echo = event(client.uploadChannel, 'message');
      client.uploadChannel.send(new Uint8Array(1));
      await within('an echo', echo, WORK);
      client.send(film);
      if (leave === 'channel') client.uploadChannel.close();
      else client.connection.close();
      if (leave === 'channel') {
        const told = await within('how it ended', client.completed, WORK);
        assert.ok([null, 'peer-gone', 'idle-timeout'].includes(told.termination_reason), JSON.stringify(told));
        client.connection.close();
      }
      const end = await server.end((session += 1), WORK);
      if (end.chunks < Math.ceil(film.length / 49152)) {
        assert.deepEqual([end.status, end.code], ['failed', 'peer-gone'], JSON.stringify(end));
      } else {
        assert.equal(end.bytes, film.length);
      }
    }
    // Nobody else is worse off.
    await within('an upload', upload('short', {}), WORK);
  }));

await run({
  only: process.argv[3] ?? '',
  setUp: () => drawFilms(films),
  tearDown: () => fs.promises.rm(films, { recursive: true, force: true }),
});
