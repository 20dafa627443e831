// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Films as Chromium's MediaRecorder writes them: recorded in a tab, uploaded from there with upload.js, every frame of them
// analysed.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { launchBrowser, Server, within, WORK } from '../browser/support.mjs';
import { run, test } from '../browser/tap.mjs';
import { FIND_BOX } from './support.mjs';

let browser;
let films;

async function setUp() {
  films = fs.mkdtempSync(path.join(os.tmpdir(), 'webrtcupload-films-'));
  browser = await launchBrowser();
}

async function tearDown() {
  await browser?.close();
  if (films) fs.rmSync(films, { recursive: true, force: true });
}

// In the tab: a film of `source`, as `mimeType`, for `seconds`. Null if this Chromium cannot record that. A canvas shows a red
// box of 40x40 at (264, 100), in 320x240; all else is white, or transparent.
async function record({ source, mimeType, seconds }) {
  if (!MediaRecorder.isTypeSupported(mimeType)) return null;
  const canvas = document.createElement('canvas');
  let stream;
  let timer;
  if (source === 'camera') {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { width: 320, height: 240 },
      audio: true,
    });
  } else {
    Object.assign(canvas, { width: 320, height: 240 });
    const picture = canvas.getContext('2d', { alpha: source === 'transparent' });
    const draw = () => {
      picture.clearRect(0, 0, 320, 240);
      if (source === 'opaque') {
        picture.fillStyle = 'white';
        picture.fillRect(0, 0, 320, 240);
      }
      picture.fillStyle = 'red';
      picture.fillRect(264, 100, 40, 40);
    };
    draw();
    timer = setInterval(draw, 40);
    stream = canvas.captureStream(25);
    if (/opus/.test(mimeType)) {
      const context = new AudioContext();
      const tone = new OscillatorNode(context);
      const sound = new MediaStreamAudioDestinationNode(context);
      tone.connect(sound);
      tone.start();
      stream.addTrack(sound.stream.getAudioTracks()[0]);
    }
  }
  const recorder = new MediaRecorder(stream, { mimeType });
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const stopped = new Promise((resolve, reject) => {
    recorder.onstop = resolve;
    recorder.onerror = ({ error }) => reject(error);
  });
  recorder.start(100);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  // A busy machine takes its time. What is MP4 comes at the end only.
  while (!/mp4/.test(mimeType) && parts.filter((part) => part.size > 0).length < 5) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  recorder.stop();
  await stopped;
  clearInterval(timer);
  for (const track of stream.getTracks()) track.stop();
  window.film = new Blob(parts);
  const reader = new FileReader();
  reader.readAsDataURL(window.film);
  await new Promise((resolve) => {
    reader.onload = resolve;
  });
  return reader.result.split(',')[1];
}

// In the tab: the results of that film.
async function upload() {
  const { connect } = await import('/upload.js');
  const client = await connect(location.href);
  const uploading = client.upload(window.film);
  const results = [];
  for await (const result of client.results) {
    results.push(result.serialized_output_data.predictions);
  }
  await uploading;
  return results;
}

// How many frames are stored in a film, as its demuxer counts them: no decoder is asked.
async function storedFrames(file) {
  const demuxer =
    fs.readFileSync(file).subarray(4, 8).toString() === 'ftyp' ? 'qtdemux' : 'matroskademux';
  const pipeline = `filesrc location=${file} ! ${demuxer} name=demuxer demuxer.video_0 ! identity silent=false ! fakesink`;
  const { stdout } = await promisify(execFile)('gst-launch-1.0', ['-v', ...pipeline.split(' ')], {
    maxBuffer: 64e6,
  });
  return stdout.match(/last-message = chain /g)?.length ?? 0;
}

const recordings = [
  ['opaque', 'video/webm;codecs=vp8'],
  ['opaque', 'video/webm;codecs=vp9'],
  ['opaque', 'video/webm;codecs=vp8,opus'],
  ['opaque', 'video/webm;codecs=av1'],
  ['opaque', 'video/x-matroska;codecs=avc1'],
  ['opaque', 'video/mp4;codecs=vp9,opus'],
  ['opaque', 'video/mp4;codecs=av01,opus'],
  ['opaque', 'video/mp4;codecs=avc1'],
  ['transparent', 'video/webm;codecs=vp8'],
  ['transparent', 'video/webm;codecs=vp9'],
  ['transparent', 'video/webm;codecs=vp9,opus'],
  ['camera', 'video/webm'],
  ['camera', 'video/webm;codecs=vp9'],
  ['camera', 'video/mp4'],
];

for (const [source, mimeType] of recordings) {
  test(`what Chromium records of ${source}, as ${mimeType}`, async () => {
    const server = await Server.start(FIND_BOX);
    const page = await browser.context.newPage();
    try {
      await page.goto(server.url);
      const seconds = 2;
      const base64 = await within(
        'a film',
        page.evaluate(record, { source, mimeType, seconds }),
        WORK,
      );
      assert.ok(base64, `this Chromium does not record ${mimeType}`);
      const file = path.join(films, 'film');
      fs.writeFileSync(file, Buffer.from(base64, 'base64'));
      const results = await within('the results', page.evaluate(upload), WORK);
      const frames = await storedFrames(file);
      assert.ok(frames > 3, `${frames} frames`);
      assert.equal((await server.end(1, WORK)).frames, frames);
      assert.equal(results.length, frames);
      for (const { image, predictions } of results) {
        assert.deepEqual(image, { width: 320, height: 240 });
        if (source === 'camera') continue;
        assert.equal(predictions.length, 1, JSON.stringify(predictions));
        const expected = { x: 284, y: 120, width: 40, height: 40 };
        for (const [field, value] of Object.entries(expected)) {
          assert.ok(Math.abs(predictions[0][field] - value) <= 6, JSON.stringify(predictions[0]));
        }
      }
      await page.close();
      await server.idle();
      await server.stop();
    } finally {
      await server.kill();
      if (!page.isClosed()) await page.close();
    }
  });
}

await run({ setUp, tearDown });
