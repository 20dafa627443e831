// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The picture over the video, in browsers that do not tell which frame of a video they show. (Those
// that do are in page.test.mjs.)

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stage } from '../../src/web/overlay.js';

const frames = [];
globalThis.requestAnimationFrame = (callback) => frames.push(callback);
globalThis.ResizeObserver = class {
  observe() {}
};
globalThis.matchMedia = () => ({ matches: false });
globalThis.getComputedStyle = () => ({});
globalThis.devicePixelRatio = 1;
globalThis.document = { body: {} };
URL.createObjectURL = () => 'blob:';
URL.revokeObjectURL = () => {};

function animate(count) {
  for (let i = 0; i < count; i += 1) for (const callback of frames.splice(0)) callback(0);
}

const canvas = new Proxy(
  {},
  {
    get: (target, name) => target[name] ?? (() => ({ width: 1 })),
    set: (target, name, value) => Reflect.set(target, name, value),
  },
);

class FakeElement extends EventTarget {
  clientWidth = 10;
  clientHeight = 10;
  paused = true;
  currentTime = 0;
  duration = NaN;
  #classes = new Set();
  classList = {
    add: (name) => this.#classes.add(name),
    remove: (name) => this.#classes.delete(name),
    contains: (name) => this.#classes.has(name),
  };
  getContext = () => canvas;
  load() {}
  pause() {}
  async play() {}
  removeAttribute() {}
  scrollIntoView() {}
}

// A stage with a result for each second, and which frames it paints. `found` is the box in each.
function makeStage(found = []) {
  frames.length = 0;
  const elements = Object.fromEntries(
    ['video', 'overlay', 'strip', 'stage', 'note'].map((name) => [name, new FakeElement()]),
  );
  const painted = [];
  const findings = {
    times: [0, 1, 2, 3],
    frames: 4,
    lastTime: 100, // Never waited for.
    labels: [],
    width: 10,
    height: 10,
    pixelAspectRatio: 1,
    boxCount: () => 0,
    frameAt: (time) => Math.floor(time),
    within: (frame) => frame + 0.25,
    boxes(frame) {
      painted.push(frame);
      return found;
    },
  };
  const stage = new Stage(elements);
  stage.show(new Blob(), findings);
  animate(2);
  painted.length = 0;
  return { stage, video: elements.video, painted };
}

test('a video that cannot be played stays at the frame that was chosen', () => {
  const { stage, video, painted } = makeStage();
  video.dispatchEvent(new Event('error'));
  stage.seek(2);
  animate(5);
  assert.deepEqual([...new Set(painted)], [2]);
});

test('a video that stands still is not painted again and again', () => {
  const { video, painted } = makeStage();
  animate(5);
  assert.deepEqual(painted, []);
  video.currentTime = 1.2;
  video.dispatchEvent(new Event('seeked'));
  animate(5);
  assert.deepEqual(painted, [1]);
});

test('a video that plays is painted as it goes', () => {
  const { video, painted } = makeStage();
  video.paused = false;
  for (const time of [0.5, 1.5, 2.5]) {
    video.currentTime = time;
    animate(1);
  }
  assert.deepEqual(painted, [0, 1, 2]);
});

// Seen by the browser as 20 by 10, whatever the pixels are that the server has seen.
test('boxes are scaled as the picture is, each way for itself', () => {
  const box = { x: 2, y: 5, w: 3, h: 4, confidence: 1, label: 0 };
  const { stage, video } = makeStage([box]);
  Object.assign(video, { videoWidth: 20, videoHeight: 10, currentTime: 1.2 });
  const strokes = [];
  canvas.strokeRect = (...rect) => strokes.push(rect);
  video.dispatchEvent(new Event('seeked'));
  stage.update();
  animate(3);
  delete canvas.strokeRect;
  // 10 by 5, in the middle of a stage of 10 by 10.
  assert.deepEqual(strokes.at(-1), [2, 2.5 + 2.5, 3, 2]);
});

test('a video that says no duration has none', () => {
  const { stage, video } = makeStage();
  const durations = [Infinity, NaN, 0, 4.5].map((duration) => {
    video.duration = duration;
    return stage.duration;
  });
  assert.deepEqual(durations, [0, 0, 0, 4.5]);
});
