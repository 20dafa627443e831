// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the public JavaScript SDK, unmodified and in a real Chromium, gets from our server: useVideoFile() pointed at it.

import assert from 'node:assert/strict';

import * as support from './support.mjs';
import {
  checkAllFrames, checkCompleted, devTools, runAll, splitFinished, Tab, uploadTest,
} from './upload_test.mjs';

const { FRAMES, within } = support;
const PREDICTIONS = { dataOutputNames: ['predictions'] };

uploadTest('batch: a result for every frame, once, in order, then the completion, then the close', {}, async (server, tab) => {
  await tab.start(server, 'short', { params: { ...PREDICTIONS, realtimeProcessing: false } });
  checkAllFrames(await tab.call('finished'), FRAMES.short);
  const end = await server.end();
  assert.deepEqual([end.status, end.frames], ['done', FRAMES.short]);
});

uploadTest('a file of several megabytes', {}, async (server, tab) => {
  await tab.start(server, 'large', { params: { ...PREDICTIONS, realtimeProcessing: false } });
  checkAllFrames(await tab.call('finished'), FRAMES.large);
});

uploadTest('realtime, the default: in order, at most once', {}, async (server, tab) => {
  await tab.start(server, 'short', { params: PREDICTIONS });
  const { frames, completion } = splitFinished(await tab.call('finished'));
  // On a slow machine some may be left out.
  assert.ok(frames.length > 0);
  let last = 0;
  for (const result of frames) {
    const number = support.numberOf(result);
    assert.ok(number > last, `${number} after ${last}`);
    support.checkResult(result, number);
    last = number;
  }
  checkCompleted(completion);
});

uploadTest('realtime leaves frames out when the analysis is slow', { pipeline: support.analyseSlowly(120) }, async (server, tab) => {
  await tab.start(server, 'short', { params: PREDICTIONS });
  const { frames, completion } = splitFinished(await tab.call('finished'));
  // At 40 ms a frame and 120 ms of analysis.
  assert.ok(frames.length > 1 && frames.length < FRAMES.short, `${frames.length} frames`);
  checkCompleted(completion);
});

uploadTest('batch leaves none out when the analysis is slow', { pipeline: support.analyseSlowly(60) }, async (server, tab) => {
  await tab.start(server, 'short', { params: { ...PREDICTIONS, realtimeProcessing: false } });
  checkAllFrames(await tab.call('finished'), FRAMES.short);
});

uploadTest('no outputs asked for: metadata only', {}, async (server, tab) => {
  await tab.start(server, 'short', { params: { realtimeProcessing: false, dataOutputNames: [] } });
  const { frames, completion } = splitFinished(await tab.call('finished'));
  assert.equal(frames.length, FRAMES.short);
  frames.forEach((result, index) => {
    assert.deepEqual(result.serialized_output_data ?? {}, {});
    support.checkMetadata(result, index + 1);
  });
  checkCompleted(completion);
});

uploadTest('"*": everything but images', {}, async (server, tab) => {
  await tab.start(server, 'short', { params: { realtimeProcessing: false, dataOutputNames: ['*'] } });
  const finished = await tab.call('finished');
  checkAllFrames(finished, FRAMES.short);
  assert.deepEqual(Object.keys(finished.results[0].serialized_output_data), ['predictions']);
});

uploadTest('an image by its name: a JPEG of the frame, longer than one message', {}, async (server, tab) => {
  await tab.start(server, 'large', { params: { realtimeProcessing: false, dataOutputNames: ['image', 'predictions'] } });
  const finished = await tab.call('finished');
  checkAllFrames(finished, FRAMES.large);
  for (const result of finished.results.slice(0, -1)) {
    const { image } = result.serialized_output_data;
    assert.equal(image.type, 'base64');
    const bytes = Buffer.from(image.value, 'base64');
    assert.deepEqual([...bytes.subarray(0, 2), ...bytes.subarray(-2)], [0xff, 0xd8, 0xff, 0xd9]);
  }
});

uploadTest('an unknown output is refused with the names there are', {}, async (server, tab) => {
  await assert.rejects(
    tab.start(server, 'short', { params: { dataOutputNames: ['no-such-output'] } }),
    /\(400\).*predictions/s,
  );
});

uploadTest('the analysed frames come back as a moving picture', {}, async (server, tab) => {
  // Held, so that the page is looking when the first one comes.
  await tab.start(server, 'long', { params: { ...PREDICTIONS, streamOutputNames: ['image'] }, held: true });
  const seen = await tab.call('boxSeenMoving', 5);
  assert.deepEqual([seen.width, seen.height], [320, 240]);
  const { frames, completion } = splitFinished(await tab.call('finished'));
  assert.ok(frames.length > 0);
  checkCompleted(completion);
});

// In batch, where all 250 results come; ten seconds of analysis lie between the wish, at the fifth, and the last.
uploadTest('outputs changed while it runs', { pipeline: support.analyseSlowly(40) }, async (server, tab) => {
  await tab.start(server, 'long', {
    params: { realtimeProcessing: false, dataOutputNames: [] },
    after: { results: 5, outputs: { dataOutput: ['predictions'], streamOutput: [] } },
  });
  const { frames, completion } = splitFinished(await tab.call('finished'));
  const first = frames.findIndex((result) => result.serialized_output_data?.predictions);
  assert.ok(first >= 5, `predictions from result ${first + 1} on, of ${frames.length}`);
  for (const result of frames.slice(first)) support.checkResult(result, support.numberOf(result));
  checkCompleted(completion);
});

// Nothing is said by a tab that is gone, and the analysis would go on for minutes.

uploadTest('tabs that are closed or crash end their sessions', { pipeline: support.analyseSlowly(2000) }, async (server, crashing) => {
  const closing = await Tab.open();
  for (const tab of [crashing, closing]) {
    await tab.start(server, 'long', { params: { ...PREDICTIONS, realtimeProcessing: false } });
    await tab.call('resultsCame', 1);
  }
  await closing.close();
  const crashed = new Promise((resolve) => {
    crashing.page.on('crash', resolve);
  });
  // Never answered: the tab is gone.
  devTools(crashing).then((session) => session.send('Page.crash')).catch(() => {});
  await within('the crash', crashed);
  for (const session of [1, 2]) {
    const end = await server.end(session, support.WORK);
    assert.deepEqual([end.status, end.code], ['failed', 'peer-gone']);
  }
});

uploadTest('keys', { options: ['--api-key', 'the-right-one'] }, async (server, tab) => {
  await assert.rejects(tab.start(server, 'short', { key: 'a-wrong-one' }), /\(401\).*"message"/s);
  await tab.start(server, 'short', {
    key: 'the-right-one',
    params: { ...PREDICTIONS, realtimeProcessing: false },
  });
  checkAllFrames(await tab.call('finished'), FRAMES.short);
});

uploadTest('two clients at once', {}, async (server, first) => {
  const second = await Tab.open();
  const params = { ...PREDICTIONS, realtimeProcessing: false };
  await Promise.all([first.start(server, 'large', { params }), second.start(server, 'long', { params })]);
  const [large, long] = await Promise.all([first.call('finished'), second.call('finished')]);
  checkAllFrames(large, FRAMES.large);
  checkAllFrames(long, FRAMES.long);
  await second.close();
});

uploadTest('a time limit for the processing', { pipeline: support.analyseSlowly(60) }, async (server, tab) => {
  await tab.start(server, 'long', { params: { ...PREDICTIONS, realtimeProcessing: false, processingTimeout: 2 } });
  const { frames, completion } = splitFinished(await tab.call('finished'));
  assert.ok(frames.length < FRAMES.long, `${frames.length} frames`);
  assert.equal(completion.processing_complete, true);
  assert.equal(completion.termination_reason, 'timeout_reached');
});

await runAll();
