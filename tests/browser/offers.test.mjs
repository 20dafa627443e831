// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Connections of a real Chromium that offer more than an upload: it takes the answer, the film is analysed, and the pictures
// come back where they were asked for.

import assert from 'node:assert/strict';

import { FRAMES, WORK, within } from './support.mjs';
import { runAll, uploadTest } from './upload_test.mjs';

const cases = [
  { shape: 'stopped', offered: ['m=video 0', 'm=application'], answered: ['m=video 0', 'm=application'], mid: null },
  { shape: 'twoVideos', offered: ['m=video', 'm=video', 'm=application'], mid: '0' },
  { shape: 'camera', offered: ['m=audio', 'm=video', 'm=video', 'm=application'], mid: '2' },
  { shape: 'camera', bundlePolicy: 'max-bundle', offered: ['m=audio', 'm=video', 'm=video', 'm=application'], mid: '2' },
  { shape: 'camera', bundlePolicy: 'max-compat', offered: ['m=audio', 'm=video', 'm=video', 'm=application'], mid: '2' },
  { shape: 'cameraBothWays', offered: ['m=video', 'm=application'], mid: '0' },
];

for (const { shape, bundlePolicy, offered, answered = offered, mid } of cases) {
  uploadTest(`an offer of the shape ${shape}, ${bundlePolicy ?? 'balanced'}`, {}, async (server, tab) => {
    const given = { url: server.url, film: '/films/short.mp4', shape, bundlePolicy };
    const uploading = tab.page.evaluate(async (what) => (await import('/offers.mjs')).upload(what), given);
    const outcome = await within('the upload', uploading, WORK);
    assert.deepEqual(outcome, { results: FRAMES.short, reason: null, mid, offered, answered });
    assert.equal((await server.end()).status, 'done');
  });
}

await runAll();
