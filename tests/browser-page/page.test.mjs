// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The page as it is meant to be used: a video is chosen, uploaded and analysed, and shown with what was found.

import assert from 'node:assert/strict';

import { FRAMES } from '../browser/support.mjs';
import { run } from '../browser/tap.mjs';
import {
  downloaded,
  film,
  FIND_BOX_FOR_MINUTES,
  pageTest,
  setUp,
  tearDown,
  world,
} from './page_tab.mjs';

pageTest('first paint needs the document only; the page is light', {}, async (tab) => {
  await tab.page.locator('#limits', { hasText: 'Up to 524 MB' }).waitFor();
  const files = tab.requests
    .map((url) => new URL(url).pathname)
    .filter((name) => name !== '/limits');
  assert.deepEqual(
    files.sort(),
    ['/', '/overlay.js', '/page.js', '/results.js', '/upload.js', '/words.js', '/icon.svg']
      .filter((name) => files.includes(name))
      .sort(),
  );
  const blocking = await tab.page.evaluate(() =>
    performance
      .getEntriesByType('resource')
      .filter((entry) => entry.renderBlockingStatus === 'blocking')
      .map((entry) => entry.name),
  );
  assert.deepEqual(blocking, []);
  await tab.shot('choose-light');
});

pageTest(
  'a video is chosen: progress, results, overlay, download',
  { gated: true },
  async (tab, gate) => {
    await tab.holdUpload(16e6);
    await tab.choose('padded.mp4');
    await tab.phase('Uploading');
    await tab.said(/^numbers: [\d.]+ MB of [\d.]+ MB · [\d.]+ [kM]B\/s · [\d.]+ (s|min|h) left/);
    await tab.said(/^heard: Uploading: 50 percent/);
    await tab.shot('uploading-light');
    await tab.releaseUpload();

    await gate.let(40);
    await tab.phase('Analysing');
    await tab.page.locator('#rows tr').nth(40).waitFor();
    await tab.page.waitForFunction(() => document.getElementById('video').duration > 0);
    await tab.shot('analysing-light');
    // Frames a second are of more than half a second.
    const first = await tab.page.evaluate(() => performance.now());
    await tab.page.waitForFunction((then) => performance.now() > then + 600, first);
    gate.open();
    await tab.said(/^numbers: 0:\d\d of 0:10 · \d+ frames a second/);
    await tab.phase('Done');
    await tab.said(/^heard: Done\. 250 frames analysed\. 250 detections in 250 of 250 frames\./);
    assert.equal(
      await tab.text('#count'),
      '250 detections in 250 of 250 frames. The latest 60 are listed.',
    );
    assert.equal(await tab.page.locator('#rows tr').count(), 60);
    assert.equal(await tab.text('#classes'), 'box × 250');
    assert.equal(await tab.page.locator('th', { hasText: 'Confidence' }).isVisible(), true);

    const { name, lines } = await downloaded(tab);
    assert.equal(name, 'padded.results.jsonl');
    assert.equal(lines.length, FRAMES.large);
    lines.forEach((line, index) => {
      const number = index + 1;
      assert.equal(line.video_metadata.frame_id, number);
      const [box] = line.serialized_output_data.predictions.predictions;
      assert.ok(Math.abs(box.y - (4 * (number % 50) + 20)) <= 4, JSON.stringify(box));
    });
    assert.ok(tab.requests.some((url) => /\/upload\?.*realtime=false.*data_output=/.test(url)));
    assert.equal((await world.server.end()).status, 'done');
    assert.equal(tab.deleted, 0);
    await tab.shot('done-light');
  },
);

// Where on the overlay the lines of the box are, and where the red box of the picture below is; both in the overlay's pixels.
function lookAtStage() {
  const overlay = document.getElementById('overlay');
  const video = document.getElementById('video');
  const { width, height } = overlay;
  const bounds = (context, matches) => {
    const { data } = context.getImageData(0, 0, width, height);
    const box = { left: width, top: height, right: -1, bottom: -1 };
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        const at = 4 * (y * width + x);
        if (!matches(data[at], data[at + 1], data[at + 2], data[at + 3])) continue;
        box.left = Math.min(box.left, x);
        box.right = Math.max(box.right, x);
        box.top = Math.min(box.top, y);
        box.bottom = Math.max(box.bottom, y);
      }
    }
    return box;
  };
  const copy = new OffscreenCanvas(width, height).getContext('2d');
  const scale = Math.min(width / video.videoWidth, height / video.videoHeight);
  const [w, h] = [video.videoWidth * scale, video.videoHeight * scale];
  copy.drawImage(video, (width - w) / 2, (height - h) / 2, w, h);
  return {
    scale,
    red: bounds(copy, (r, g, b) => r > 150 && g < 90 && b < 90),
    // The line's own colour; not the label's ground, which is above the box and left of its right side.
    lines: bounds(
      overlay.getContext('2d'),
      (r, g, b, a) => r > 240 && g > 150 && g < 200 && b < 40 && a > 200,
    ),
  };
}

pageTest('what is found is drawn where it is in the picture', {}, async (tab) => {
  await tab.choose('short.mp4');
  await tab.phase('Done');
  for (const number of [10, 30, 70]) {
    await tab.page.evaluate(
      async (begin) => {
        const video = document.getElementById('video');
        video.pause();
        // It may have been about to show another one.
        const shown = new Promise((resolve) => {
          const look = (now, { mediaTime }) => {
            if (Math.abs(mediaTime - begin) < 0.01) resolve();
            else video.requestVideoFrameCallback(look);
          };
          video.requestVideoFrameCallback(look);
        });
        video.currentTime = begin + 0.02;
        await shown;
        await new Promise((resolve) => {
          requestAnimationFrame(() => requestAnimationFrame(resolve));
        });
      },
      (number - 1) / 25,
    );
    const { red, lines, scale } = await tab.page.evaluate(lookAtStage);
    const expectedTop = 4 * (number % 50) * scale;
    for (const [what, one, other] of [
      ['picture', red.top, expectedTop],
      ['bottom', lines.bottom, red.bottom],
      ['right', lines.right, red.right],
    ]) {
      assert.ok(
        Math.abs(one - other) <= 4 * scale,
        `${what} of frame ${number}: ${one}, not ${other}`,
      );
    }
  }
  await tab.shot('overlay');
  // And from the table.
  await tab.page.locator('#rows button', { hasText: '0:03.00' }).click();
  await tab.page.waitForFunction(
    () => Math.abs(document.getElementById('video').currentTime - 3) < 0.04,
  );
});

pageTest('the video plays no further than the analysis is', { gated: true }, async (tab, gate) => {
  const video = (name) =>
    tab.page.evaluate((property) => document.getElementById('video')[property], name);
  const note = (words) => tab.page.locator('#stage-note', { hasText: words }).waitFor();
  await tab.choose('long.mp4');
  await gate.let(5);
  await note('Waiting for the analysis');
  await tab.shot('waiting');
  assert.equal(await video('currentTime'), 0);
  // One second of ten, which is enough to begin, though perhaps not for going on after a wait.
  await gate.let(20);
  await tab.page.waitForFunction(() => document.getElementById('video').currentTime > 0);
  await tab.page.waitForFunction(() => document.getElementById('video').paused);
  // The page stops it, and may be late for that; not by nine seconds.
  assert.equal(await video('ended'), false);
  await note(/Waiting for the analysis|Not analysed yet/);
  gate.open();
  await tab.phase('Done');
  await tab.page.waitForFunction(() => document.getElementById('video').ended);
});

pageTest('an interruption is told, and that it is over', { gated: true }, async (tab, gate) => {
  await tab.page.evaluate(() => {
    const { createDataChannel } = RTCPeerConnection.prototype;
    RTCPeerConnection.prototype.createDataChannel = function (...args) {
      window.become = (state) => {
        Object.defineProperty(this, 'connectionState', { value: state, configurable: true });
        this.dispatchEvent(new Event('connectionstatechange'));
      };
      return createDataChannel.apply(this, args);
    };
  });
  await tab.choose('short.mp4');
  await gate.let(5);
  await tab.phase('Analysing');
  const phases = await tab.page.evaluate(() =>
    ['disconnected', 'connected'].map((state) => {
      window.become(state);
      return document.getElementById('phase').textContent;
    }),
  );
  // The second also while there is nothing new to show.
  assert.deepEqual(phases, ['Connection interrupted', 'Analysing']);
  gate.open();
  await tab.phase('Done');
});

pageTest(
  'a video is dropped, and another one after it',
  { tab: { colorScheme: 'dark' } },
  async (tab) => {
    const devTools = await world.browser.context.newCDPSession(tab.page);
    const drag = (type, name) =>
      devTools.send('Input.dispatchDragEvent', {
        type,
        x: 400,
        y: 300,
        data: { items: [], files: [film(name)], dragOperationsMask: 1 },
      });
    const drop = async (name) => {
      for (const type of ['dragEnter', 'dragOver', 'drop']) await drag(type, name);
    };
    await drag('dragEnter', 'short.mp4');
    await drag('dragOver', 'short.mp4');
    await tab.page.locator('body.over').waitFor();
    await tab.shot('dragging-dark');
    await drag('drop', 'short.mp4');
    await tab.phase('Done');
    assert.equal(await tab.text('#name'), 'short.mp4');
    await tab.page.click('#again');
    await tab.page.locator('#choose').waitFor();
    await tab.shot('choose-dark');
    await drop('large.mp4');
    await tab.phase('Done');
    assert.equal(
      await tab.text('#count'),
      '250 detections in 250 of 250 frames. The latest 60 are listed.',
    );
    assert.equal((await downloaded(tab)).lines.length, FRAMES.large);
    await tab.shot('done-dark');
  },
);

pageTest('cancel, and try again', { pipeline: FIND_BOX_FOR_MINUTES }, async (tab) => {
  await tab.choose('large.mp4');
  await tab.page.locator('#rows tr').first().waitFor();
  const deletion = tab.page.waitForRequest((request) => request.method() === 'DELETE');
  deletion.catch(() => {}); // Awaited below, unless something fails before.
  await tab.page.click('#cancel');
  await tab.phase('Cancelled');
  await tab.shot('cancelled');
  // It was told to, and saw the connection close: whichever came first.
  assert.match((await world.server.end()).code, /^(cancelled|peer-gone)$/);
  await deletion;
  // Nobody is left on a button that is gone.
  assert.equal(await tab.page.evaluate(() => document.activeElement.id), 'retry');
  // What was found is still there.
  assert.ok((await downloaded(tab)).lines.length > 0);
  await tab.page.focus('#retry');
  await tab.page.keyboard.press('Enter');
  await tab.phase('Analysing');
  await tab.page.click('#cancel');
  await tab.phase('Cancelled');
});

pageTest('a video that the browser cannot play is analysed all the same', {}, async (tab) => {
  await tab.choose('old.avi');
  await tab.phase('Done');
  // Said at the next paint, and when the browser has tried.
  const note = tab.page.locator('#stage-note', {
    hasText: /^Your browser cannot play this video\.$/,
  });
  await note.waitFor();
  assert.equal((await downloaded(tab)).lines.length, 50);
  await tab.shot('unplayable');
});

await run({ setUp, tearDown });
