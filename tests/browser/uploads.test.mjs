// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Uploads of the public JavaScript SDK in a real Chromium that do not end well.

import assert from 'node:assert/strict';

import { runAll, splitFinished, uploadTest } from './upload_test.mjs';

const PREDICTIONS = { dataOutputNames: ['predictions'] };

uploadTest('the upload is cancelled half way: cleanup()', {}, async (server, tab) => {
  await tab.start(server, 'large', { params: PREDICTIONS, atHalf: 'cleanup' });
  await tab.call('halfUploaded');
  const end = await server.end();
  assert.deepEqual([end.status, end.code], ['failed', 'peer-gone']);
  await server.idle();
});

uploadTest('the upload just stops half way: the client is told', { options: ['--idle-timeout', '3'] }, async (server, tab) => {
  await tab.start(server, 'large', { params: PREDICTIONS, atHalf: 'cancelUpload' });
  const { frames, completion } = splitFinished(await tab.call('finished'));
  assert.deepEqual(frames, []);
  assert.equal(completion.processing_complete, true);
  assert.equal(completion.termination_reason, 'idle-timeout');
  assert.equal(completion.errors.length, 1);
  const end = await server.end();
  assert.deepEqual([end.status, end.code], ['failed', 'idle-timeout']);
});

uploadTest('what is no film: the client is told why', {}, async (server, tab) => {
  await tab.start(server, '../page', { film: '/page.html' });
  const { frames, completion } = splitFinished(await tab.call('finished'));
  assert.deepEqual(frames, []);
  assert.equal(completion.processing_complete, true);
  assert.equal(completion.errors.length, 1);
});

await runAll();
