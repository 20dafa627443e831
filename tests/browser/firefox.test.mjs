// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The first lines of the README in Firefox: the page of a server on 127.0.0.1, on a machine that has a network.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { connectMachines, enterNetwork, Machine } from '../network/network.mjs';
import { Firefox } from './firefox.mjs';
import { drawFilms, launchLine, Server } from './support.mjs';
import { run, test } from './tap.mjs';

enterNetwork();

const FIND_BOX = 'decodebin ! videoconvert ! testboxdetector ! fakesink sync=false';
const shots = process.env.SCREENSHOTS; // A directory; none are kept without.

let films;
let neighbour;
let browser;

async function setUp() {
  films = fs.mkdtempSync(path.join(os.tmpdir(), 'webrtcupload-films-'));
  await drawFilms(films);
  // The network goes on to elsewhere, as far as this machine knows.
  neighbour = await Machine.start();
  connectMachines([Machine.here, '10.79.0.1/24', 'fd79::1/64'], [neighbour, '10.79.0.2/24', 'fd79::2/64']);
  Machine.here.run('ip', 'route', 'add', 'default', 'via', '10.79.0.2');
  Machine.here.run('ip', '-6', 'route', 'add', 'default', 'via', 'fd79::2');
  browser = await Firefox.launch();
  process.stdout.write(`# Firefox ${browser.version}\n`);
}

async function tearDown() {
  await browser?.close();
  await neighbour?.stop();
  if (films) fs.rmSync(films, { recursive: true, force: true });
}

const film = (name) => path.join(films, name);
const text = (tab, selector) => tab.evaluate(`document.querySelector(${JSON.stringify(selector)}).innerText`);

async function withTab(body) {
  const tab = await browser.newTab();
  try {
    await body(tab);
  } catch (error) {
    if (shots) await tab.screenshot(path.join(shots, 'firefox-failed.png'));
    throw error;
  } finally {
    await tab.close();
  }
}

// What the page ends with.
async function ended(tab) {
  await tab.waitFor(
    'the end',
    `/Done|Not finished/.test(document.getElementById('phase').textContent)`,
  );
  const alert = await tab.evaluate(`document.getElementById('alert').innerText`);
  assert.equal(await text(tab, '#phase'), 'Done', alert);
}

// Where the lines on the overlay are when the film stands at `time`, in the film's pixels.
function drawnAt(time) {
  return `(async () => {
    const video = document.getElementById('video');
    video.pause();
    const sought = new Promise((resolve) => video.addEventListener('seeked', resolve, { once: true }));
    video.currentTime = ${time};
    await sought;
    const overlay = document.getElementById('overlay');
    const { width, height } = overlay;
    const look = () => {
      const { data } = overlay.getContext('2d').getImageData(0, 0, width, height);
      const box = { right: -1, bottom: -1 };
      for (let y = 0; y < height; y += 1) {
        for (let x = 0; x < width; x += 1) {
          const at = 4 * (y * width + x);
          const line = data[at] > 240 && data[at + 1] > 150 && data[at + 1] < 200 && data[at + 2] < 40;
          if (!line || data[at + 3] < 200) continue;
          box.right = Math.max(box.right, x);
          box.bottom = Math.max(box.bottom, y);
        }
      }
      const scale = Math.min(width / video.videoWidth, height / video.videoHeight);
      box.right = (box.right - (width - video.videoWidth * scale) / 2) / scale;
      box.bottom = (box.bottom - (height - video.videoHeight * scale) / 2) / scale;
      return box;
    };
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    return look();
  })()`;
}

test('the page of a server on 127.0.0.1: upload, progress, results, picture', async () => {
  const server = await Server.start(FIND_BOX);
  try {
    await withTab(async (tab) => {
      await tab.open(`${server.url}/`);
      await tab.evaluate(`(() => {
        window.history_ = [];
        new MutationObserver(() => {
          const said = ['phase', 'numbers'].map((id) => document.getElementById(id).textContent).join(': ');
          if (window.history_.at(-1) !== said) window.history_.push(said);
        }).observe(document, { subtree: true, childList: true, characterData: true });
      })()`);
      await tab.setFile('#file', film('large.mp4'));
      await ended(tab);
      if (shots) await tab.screenshot(path.join(shots, 'firefox-done.png'));
      const history = await tab.evaluate('window.history_');
      for (const words of [/^Connecting/, /^Uploading: [\d.]+ [kM]B of [\d.]+ MB/, /^Analysing: \d:\d\d of 0:10/]) {
        assert.ok(history.some((said) => words.test(said)), `${words} in ${JSON.stringify(history)}`);
      }
      assert.equal(
        await text(tab, '#count'),
        '250 detections in 250 of 250 frames. The latest 60 are listed.',
      );
      // The browser plays the film, and the boxes are where they are in its picture.
      await tab.waitFor('the picture', `document.getElementById('video').readyState >= 2`);
      assert.equal(await tab.evaluate(`document.getElementById('stage-note').hidden`), true);
      for (const number of [10, 30, 70]) {
        // Late in the frame: Firefox then gives this time for the frame's own. The next one's box is 4 pixels below.
        const { right, bottom } = await tab.evaluate(drawnAt((number - 1) / 25 + 0.03));
        const expected = { right: 264 + 40, bottom: 4 * (number % 50) + 40 };
        assert.ok(
          Math.abs(right - expected.right) < 3 && Math.abs(bottom - expected.bottom) < 3,
          `frame ${number}: ${right}, ${bottom}, not ${JSON.stringify(expected)}`,
        );
      }
      if (shots) await tab.screenshot(path.join(shots, 'firefox-box.png'));
      assert.deepEqual(tab.problems.map((problem) => problem.text), []);
    });
    assert.equal((await server.end()).status, 'done');
    await server.idle();
    await server.stop();
  } finally {
    await server.kill();
  }
});

test('one line of gst-launch is a server for Firefox', async () => {
  const line = await launchLine('decodebin ! videoconvert ! testboxdetector ! webrtcresultsink');
  try {
    await withTab(async (tab) => {
      await tab.open(`${line.url}/`);
      await tab.setFile('#file', film('short.mp4'));
      await ended(tab);
      assert.match(await text(tab, '#count'), /^100 detections in 100 of 100 frames\./);
    });
    assert.equal(await line.end(), 0);
  } finally {
    line.kill();
  }
});

await run({ setUp, tearDown });
