// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The page with a server that speaks wire v2: what has arrived is what was chosen.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';

import { FRAMES, within, WORK } from '../browser/support.mjs';
import { run } from '../browser/tap.mjs';
import { film, pageTest, setUp, tearDown, world } from './page_tab.mjs';

const RESULTS = /^250 detections in 250 of 250 frames/;

const hashOf = (name) =>
  createHash('sha256')
    .update(fs.readFileSync(film(name)))
    .digest('hex');

// What the page tells the server of the file, at its end.
const recordEnd = (tab) =>
  tab.page.evaluate(() => {
    const { send } = RTCDataChannel.prototype;
    RTCDataChannel.prototype.send = function (message) {
      if (typeof message === 'string' && message.includes('"end"')) window.said = message;
      send.call(this, message);
    };
  });

async function verified(tab) {
  await tab.phase('Done');
  assert.match(await tab.text('#size'), /^[\d.]+ MB · verified$/);
  const end = await world.server.end();
  assert.deepEqual([end.status, end.frames], ['done', FRAMES.large]);
  const { size, sha256 } = JSON.parse(await tab.page.evaluate(() => window.said));
  assert.deepEqual([size, sha256], [fs.statSync(film('padded.mp4')).size, hashOf('padded.mp4')]);
}

async function begin(tab) {
  await recordEnd(tab);
  await tab.choose('padded.mp4');
}

const worker = (tab) => tab.requests.some((url) => url.endsWith('/sha256_worker.js'));

pageTest('an upload is verified, its SHA-256 made in a worker', {}, async (tab) => {
  await begin(tab);
  await verified(tab);
  assert.ok(worker(tab));
  await tab.shot('verified');
});

// As a page's policy may forbid it.
const noWorker = { tab: { expected: /sha256_worker/ } };
pageTest('without a worker the upload is verified as well', noWorker, async (tab) => {
  await tab.page.route('**/sha256_worker.js', (route) => route.abort());
  await begin(tab);
  await verified(tab);
  assert.ok(worker(tab));
});

// The network goes in the middle of the file, and everything with it.
const cut = { cutAfter: 12e6, tab: { expected: /ERR_EMPTY_RESPONSE|ERR_CONNECTION/ } };
pageTest('an upload that has lost its network goes on, and is verified', cut, async (tab) => {
  await begin(tab);
  await tab.phase('Connection interrupted');
  await tab.said(/^numbers: trying again for (1:00|0:\d\d)$/);
  await tab.shot('interrupted');
  world.relayed.restore();
  await verified(tab);
  await tab.said(/^heard: The connection is back/);
  await tab.shot('verified-after-a-loss');
  assert.match(world.relayed.posts.at(-1), /^\/.+\/connections$/);
  assert.match(await tab.text('#count'), RESULTS);
});

// As a frozen tab does: its script stands still, and its connection is on its own. (Chromium without a window does not freeze
// tabs: none is ever hidden there.)
pageTest('a tab that stood still when its network went goes on', cut, async (tab) => {
  await begin(tab);
  await within('the cut', world.relayed.cut, WORK);
  const devtools = await tab.page.context().newCDPSession(tab.page);
  const paused = new Promise((resolve) => {
    devtools.once('Debugger.paused', resolve);
  });
  await devtools.send('Debugger.enable');
  await devtools.send('Debugger.pause');
  await within('the script to stand still', paused);
  world.relayed.restore();
  await devtools.send('Debugger.resume');
  await verified(tab);
  assert.match(world.relayed.posts.at(-1), /^\/.+\/connections$/);
  assert.match(await tab.text('#count'), RESULTS);
});

const old = { options: ['--protocols', 'v1'] };
pageTest('a server that names no v2 is spoken to in v1', old, async (tab) => {
  await tab.choose('short.mp4');
  await tab.phase('Done');
  assert.doesNotMatch(await tab.text('#size'), /verified/);
  assert.equal(worker(tab), false);
});

await run({ setUp, tearDown });
