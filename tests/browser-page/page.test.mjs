// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The page, in a real Chromium with the real server behind it, used as a person would.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { FRAMES, launchBrowser, launchLine, Server, within, WORK } from '../browser/support.mjs';
import { run, test } from '../browser/tap.mjs';
import { drawFilms, FIND_BOX, FIND_PEOPLE, findBoxSlowly, Gate, Gateway } from './support.mjs';

// Whatever is to happen half way has time: a film of 250 frames is not done for minutes.
const FIND_BOX_FOR_MINUTES = findBoxSlowly(1000);

const shots = process.env.SCREENSHOTS; // A directory; none are kept without.

let films;
let gateway;
let browser;
let server;

async function setUp() {
  films = fs.mkdtempSync(path.join(os.tmpdir(), 'webrtcupload-films-'));
  await drawFilms(films);
  gateway = await Gateway.start(films);
  browser = await launchBrowser();
}

async function tearDown() {
  await browser?.close();
  gateway?.http.close();
  gateway?.http.closeAllConnections();
  if (films) fs.rmSync(films, { recursive: true, force: true });
}

const film = (name) => path.join(films, name);

// A tab with the page, that nothing may be wrong with in the end: no error said in the console, no
// request to anywhere else.
class Tab {
  problems = [];
  requests = [];
  deleted = 0;

  static async open({ base, colorScheme = 'light', width = 1280, height = 900, expected = /^$/ }) {
    const tab = new Tab();
    tab.base = base;
    const page = await browser.context.newPage();
    tab.page = page;
    page.on('pageerror', (error) => tab.problems.push(String(error.stack ?? error)));
    page.on('console', (message) => {
      const text = message.text();
      // Of the tests' own looking at the canvas.
      if (/willReadFrequently/.test(text)) return;
      // Of a DELETE that came when the server had noticed by itself that the session was over.
      if (/404/.test(text) && message.location().url.includes('/sessions/')) return;
      if (['error', 'warning'].includes(message.type()) && !expected.test(text)) {
        tab.problems.push(text);
      }
    });
    page.on('request', (request) => {
      tab.requests.push(request.url());
      if (request.method() === 'DELETE') tab.deleted += 1;
    });
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    // What the page says on the way.
    await page.addInitScript(() => {
      window.history_ = [];
      window.connectionFailed = false;
      window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...rest) {
          super(...rest);
          this.addEventListener('connectionstatechange', () => {
            window.connectionFailed ||= this.connectionState === 'failed';
          });
        }
      };
      new MutationObserver(() => {
        for (const id of ['phase', 'numbers', 'heard', 'stage-note']) {
          const text = document.getElementById(id)?.textContent;
          if (text && window.history_.at(-1) !== `${id}: ${text}`) {
            window.history_.push(`${id}: ${text}`);
          }
        }
      }).observe(document, { subtree: true, childList: true, characterData: true });
    });
    await page.goto(`${base}/`);
    return tab;
  }

  text(selector) {
    return this.page.locator(selector).innerText();
  }

  async choose(name) {
    await this.page.setInputFiles('#file', film(name));
  }

  async phase(words) {
    await this.page.locator('#phase', { hasText: words }).waitFor({ timeout: WORK });
  }

  async error(words) {
    await this.page.locator('#alert', { hasText: words }).waitFor({ timeout: WORK });
  }

  // At any time until now, or still to come.
  async said(words) {
    await this.page.waitForFunction(
      (wanted) => window.history_.some((text) => wanted.test(text)),
      words,
    );
  }

  // The page gets to read nothing of a file from there on, until it is released.
  async holdUpload(from) {
    await this.page.evaluate((held) => {
      const { arrayBuffer, slice } = Blob.prototype;
      const released = new Promise((resolve) => {
        window.releaseUpload = resolve;
      });
      Blob.prototype.slice = function (begin, ...rest) {
        const piece = slice.call(this, begin, ...rest);
        if (begin >= held) piece.arrayBuffer = () => released.then(() => arrayBuffer.call(piece));
        return piece;
      };
    }, from);
  }

  async releaseUpload() {
    await this.page.evaluate(() => window.releaseUpload());
  }

  async shot(name) {
    if (shots) {
      await this.page.screenshot({ path: path.join(shots, `${name}.png`), fullPage: true });
    }
  }

  async noSidewaysScrolling() {
    const [inside, outside] = await this.page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.clientWidth,
    ]);
    assert.ok(inside <= outside, `${inside} px of content in a window of ${outside} px`);
  }

  async close() {
    await this.page.close();
    assert.deepEqual(this.problems, []);
    const elsewhere = this.requests.filter(
      (url) => !url.startsWith(`${this.base}/`) && !url.startsWith('blob:'),
    );
    assert.deepEqual(elsewhere, []);
  }
}

function pageTest(
  name,
  { pipeline = FIND_BOX, options = [], tab: tabOptions = {}, ...rest },
  body,
) {
  test(name, async () => {
    const gate = rest.gated ? new Gate(films) : null;
    server = await Server.start(gate?.pipeline ?? pipeline, options);
    gateway.reset(server, rest.limits);
    let tab;
    try {
      // The gateway stands in where the server has to change, to lie or to go.
      const base = rest.gateway || 'limits' in rest ? gateway.url : server.url;
      tab = await Tab.open({ base, ...tabOptions });
      await body(tab, gate);
      await tab.close();
      if (server.process.exitCode === null && server.process.signalCode === null) {
        await server.idle();
        await server.stop();
      }
    } catch (error) {
      if (tab && !tab.page.isClosed()) await tab.shot(`failed-${name.replace(/\W+/g, '-')}`);
      throw error;
    } finally {
      await server.kill();
      gate?.close();
      if (tab && !tab.page.isClosed()) await tab.page.close();
    }
  });
}

async function downloaded(tab) {
  const [download] = await Promise.all([
    tab.page.waitForEvent('download'),
    tab.page.click('#download'),
  ]);
  const text = fs.readFileSync(await download.path(), 'utf8');
  return {
    name: download.suggestedFilename(),
    lines: text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  };
}

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
    assert.equal((await server.end()).status, 'done');
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
    const devTools = await browser.context.newCDPSession(tab.page);
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
  assert.match((await server.end()).code, /^(cancelled|peer-gone)$/);
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

pageTest(
  'a file that is too large is refused before anything is sent',
  {
    limits: { max_size: 1000000, keys_required: false, formats: ['video/mp4', '.mkv'] },
  },
  async (tab) => {
    await tab.page.locator('#limits', { hasText: 'Up to 1 MB · MP4, MKV' }).waitFor();
    await tab.choose('large.mp4');
    await tab.error('This video is too large for the server. It takes up to 1 MB.');
    await tab.shot('too-large');
    await tab.choose('old.avi');
    await tab.error('Choose one of these: MP4, MKV.');
    await tab.choose('empty.mp4');
    await tab.error('This file is empty.');
    assert.deepEqual(gateway.offers, []);
  },
);

pageTest(
  'a file that is too large for a server that does not say',
  {
    limits: null,
    options: ['--max-size', '1000000'],
    tab: { expected: /404/ },
  },
  async (tab) => {
    await tab.choose('large.mp4');
    await tab.error('This video is too large for the server.');
    await tab.phase('Not finished');
    assert.equal(await tab.page.locator('#retry').isVisible(), false);
  },
);

pageTest(
  'what is no video is said to be none',
  { tab: { width: 360, height: 740 } },
  async (tab) => {
    await tab.choose('letter.mp4');
    await tab.error('This file is not a video.');
    await tab.noSidewaysScrolling();
    await tab.shot('no-video-360');
  },
);

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

pageTest(
  'a key is asked for, and the upload goes on with it',
  { gateway: true, options: ['--api-key', 'the-right-one'], tab: { expected: /401/ } },
  async (tab) => {
    await tab.choose('short.mp4');
    await tab.error('The server asks for an access key.');
    assert.equal(await tab.page.evaluate(() => document.activeElement.id), 'key');
    await tab.shot('key');
    await tab.page.keyboard.type('a-wrong-one');
    await tab.page.keyboard.press('Enter');
    await tab.error('The server did not accept this key.');
    await tab.page.fill('#key', 'the-right-one');
    await tab.page.keyboard.press('Enter');
    await tab.phase('Done');
  },
);

const oneProcess = {
  gateway: true,
  pipeline: FIND_BOX_FOR_MINUTES,
  options: ['--isolation', 'none'],
  tab: { expected: /502/ }, // Nobody is there to say how the session is.
};
pageTest('the server is killed half way', oneProcess, async (tab) => {
  await tab.choose('large.mp4');
  await tab.page.locator('#rows tr').first().waitFor();
  await server.kill();
  await tab.error('The server is gone. It was stopped or restarted.');
  await tab.phase('Not finished');
  await tab.shot('server-gone');
  assert.ok((await downloaded(tab)).lines.length > 0);
  // With another one it goes on where it was, without a reload.
  server = await Server.start(FIND_BOX);
  gateway.server = server;
  await tab.page.click('#retry');
  await tab.phase('Done');
});

pageTest("the session's process is killed amid the upload", {}, async (tab) => {
  await tab.holdUpload(16e6);
  await tab.choose('padded.mp4');
  await tab.phase('Uploading');
  await server.killSession();
  await tab.error('The server could not cope with this video.');
  assert.match(await tab.text('#alert-said'), /ended by signal 9.*\(crashed\)/);
  assert.equal((await server.end()).code, 'crashed');
  // It had not to wait for an end of the connection.
  assert.equal(await tab.page.evaluate(() => window.connectionFailed), false);
  assert.equal(await tab.page.locator('#retry').isVisible(), true);
  await tab.shot('crashed');
});

const forMinutes = { pipeline: FIND_BOX_FOR_MINUTES };
pageTest("the session's process is killed amid the results", forMinutes, async (tab) => {
  await tab.choose('large.mp4');
  await tab.page.locator('#rows tr').first().waitFor();
  await server.killSession();
  await tab.error('The server could not cope with this video.');
  assert.match(await tab.text('#alert-said'), /ended by signal 9.*\(crashed\)/);
  assert.equal(await tab.page.evaluate(() => window.connectionFailed), false);
  assert.ok((await downloaded(tab)).lines.length > 0);
});

pageTest('the server is stopped half way', { pipeline: FIND_BOX_FOR_MINUTES }, async (tab) => {
  await tab.choose('large.mp4');
  await tab.page.locator('#rows tr').first().waitFor();
  await server.stop();
  await tab.error('The server ended this session.');
  assert.equal(await tab.page.locator('#retry').isVisible(), true);
});

const unreachable = { gateway: true, tab: { expected: /502/ } };
pageTest('the server cannot be reached', unreachable, async (tab) => {
  await server.stop();
  await tab.choose('short.mp4');
  await tab.error('Something went wrong in the server.');
  assert.equal(await tab.page.locator('#retry').isVisible(), true);
});

pageTest(
  'on a phone',
  { pipeline: FIND_PEOPLE, tab: { width: 360, height: 740, colorScheme: 'dark' } },
  async (tab) => {
    await tab.noSidewaysScrolling();
    await tab.shot('choose-360-dark');
    await tab.choose('people.mp4');
    await tab.phase('Done');
    await tab.noSidewaysScrolling();
    // This detector does not say how sure it is.
    assert.equal(await tab.page.locator('th', { hasText: 'Confidence' }).isVisible(), false);
    await tab.page.evaluate(async () => {
      const video = document.getElementById('video');
      video.pause();
      await new Promise((resolve) => {
        video.requestVideoFrameCallback(() => requestAnimationFrame(resolve));
        video.currentTime = 2;
      });
    });
    await tab.shot('done-360-dark');
  },
);

pageTest('nothing starts to move for those who want that', {}, async (tab) => {
  await tab.page.emulateMedia({ reducedMotion: 'reduce' });
  await tab.choose('short.mp4');
  await tab.phase('Done');
  const state = () => {
    const { paused, currentTime } = document.getElementById('video');
    return { paused, currentTime };
  };
  assert.deepEqual(await tab.page.evaluate(state), { paused: true, currentTime: 0 });
});

pageTest('with the keyboard alone', {}, async (tab) => {
  // Playwright is ready for it only a moment after it was told.
  const chooser = tab.page.waitForEvent('filechooser');
  await tab.page.keyboard.press('Tab');
  assert.equal(await tab.page.evaluate(() => document.activeElement.id), 'file');
  const outline = await tab.page.evaluate(
    () => getComputedStyle(document.querySelector('label.button')).outlineStyle,
  );
  assert.equal(outline, 'solid');
  await tab.shot('focus');
  await tab.page.keyboard.press('Enter');
  await (await chooser).setFiles(film('short.mp4'));
  await tab.phase('Done');
  const order = [];
  while (order.at(-1) !== 'BUTTON') {
    await tab.page.keyboard.press('Tab');
    const at = () => document.activeElement.id || document.activeElement.tagName;
    const next = await tab.page.evaluate(at);
    // The video's own buttons count as the video.
    if (next !== order.at(-1)) order.push(next);
    assert.ok(order.length < 10, order.join(' '));
  }
  assert.deepEqual(order, ['video', 'again', 'download', 'table', 'BUTTON']);
});

for (const colorScheme of ['light', 'dark']) {
  pageTest(
    `text stands out from its ground: ${colorScheme}`,
    { tab: { colorScheme } },
    async (tab) => {
      await tab.choose('letter.mp4');
      await tab.phase('Not finished');
      await tab.page.evaluate(() => {
        for (const hidden of document.querySelectorAll('[hidden]')) hidden.hidden = false;
      });
      const weak = await tab.page.evaluate(() => {
        const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
        const luminance = (colours) => {
          canvas.clearRect(0, 0, 1, 1);
          for (const colour of colours) {
            canvas.fillStyle = colour;
            canvas.fillRect(0, 0, 1, 1);
          }
          const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
            const share = value / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const grounds = (element) =>
          element
            ? [...grounds(element.parentElement), getComputedStyle(element).backgroundColor]
            : ['white'];
        return [...document.body.querySelectorAll('*')]
          .filter((element) =>
            [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()),
          )
          .filter((element) => !element.closest('noscript, .heard'))
          .map((element) => {
            const ground = grounds(element);
            const text = luminance([...ground, getComputedStyle(element).color]);
            const behind = luminance(ground);
            const ratio = (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
            return { text: element.textContent.trim().slice(0, 30), ratio };
          })
          .filter(({ ratio }) => ratio < 4.5);
      });
      assert.deepEqual(weak, []);
    },
  );
}

// Has the page read other results than the server sent. `change` runs in the page, with the text.
const readInstead = (tab, change) =>
  tab.page.evaluate((source) => {
    const decode = TextDecoder.prototype.decode;
    const changed = (0, eval)(`(${source})`);
    TextDecoder.prototype.decode = function (...from) {
      return changed(decode.apply(this, from));
    };
  }, String(change));

pageTest('what a server calls things is shown, and is nothing but text', {}, async (tab) => {
  await readInstead(tab, (text) =>
    text.replaceAll('"class":"box"', '"class":"<img src=x onerror=alert(1)><b>box</b>"'),
  );
  await tab.choose('short.mp4');
  await tab.phase('Done');
  const name = '<img src=x onerror=alert(1)><b>box</b>';
  assert.equal(await tab.text('#classes'), `${name} × ${FRAMES.short}`);
  assert.equal(await tab.page.locator('#rows tr td:nth-child(2)').first().innerText(), name);
  assert.equal(await tab.page.locator('img, #rows b, #classes b').count(), 0);
});

pageTest('an end that a server calls as objects call their parts', {}, async (tab) => {
  await readInstead(tab, (text) =>
    text.replace('"termination_reason":null', '"termination_reason":"constructor"'),
  );
  await tab.choose('short.mp4');
  await tab.error('Something went wrong.');
  assert.match(await tab.text('#alert-said'), /\(constructor\)/);
  await tab.page.locator('#retry').waitFor();
});

pageTest('a result that the page cannot cope with ends the session', {}, async (tab) => {
  // As it does for what is nested too deeply, where the browser has not enough of a stack.
  await tab.page.evaluate(() => {
    JSON.stringify = () => {
      throw new RangeError('Maximum call stack size exceeded');
    };
  });
  const deletion = tab.page.waitForRequest((request) => request.method() === 'DELETE');
  deletion.catch(() => {}); // Awaited below, unless something fails before.
  await tab.choose('padded.mp4');
  await tab.error('Something went wrong.');
  await tab.phase('Not finished');
  await tab.page.locator('#retry').waitFor();
  await deletion;
  await server.idle();
});

test('one line of gst-launch is a server for the page', async () => {
  const line = await launchLine('decodebin ! videoconvert ! testboxdetector ! webrtcresultsink');
  try {
    const tab = await Tab.open({ base: line.url });
    await tab.choose('short.mp4');
    await tab.phase('Done');
    assert.equal((await downloaded(tab)).lines.length, FRAMES.short);
    await tab.close();
    assert.equal(await line.end(), 0);
  } finally {
    line.kill();
  }
});

// The line that shows faces to whoever sits at the server, but for the window; the page gets the video there and no results.
const SHOW_FACES = 'decodebin ! videoconvert ! facedetect ! videoconvert ! fakesink';

test('one line of gst-launch that keeps what it finds is a server for the page', async () => {
  const line = await launchLine(SHOW_FACES);
  try {
    const tab = await Tab.open({ base: line.url });
    await tab.choose('short.mp4');
    await tab.error('The upload is complete, and no results came back.');
    await tab.phase('Done');
    assert.equal(await tab.text('#numbers'), '');
    assert.equal(await tab.page.locator('#download').isVisible(), false);
    await tab.shot('no-results');
    await tab.close();
    assert.equal(await line.end(), 0);
  } finally {
    line.kill();
  }
});

for (const rest of ['fakesink', 'webrtcresultsink', SHOW_FACES.split(' ! ').slice(2).join(' ! ')]) {
  test(`one line of gst-launch with ${rest} is a server for send`, async () => {
    const line = await launchLine(`decodebin ! videoconvert ! ${rest}`);
    const args = ['send', film('short.mp4'), '--to', line.url];
    const send = spawn(process.env.WEBRTC_UPLOAD, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    try {
      const [status] = await within('the end of send', once(send, 'exit'), WORK);
      assert.equal(status, 0);
      assert.equal(await line.end(), 0);
    } finally {
      send.kill('SIGKILL');
      line.kill();
    }
  });
}

test('upload.js by itself, over the drop-in endpoint of another origin', async () => {
  server = await Server.start(FIND_BOX);
  gateway.reset(server);
  const page = await browser.context.newPage();
  try {
    await page.goto(`${gateway.url}/icon.svg`);
    const got = await page.evaluate(
      async ({ module, url, film: from }) => {
        const { connect, dropIn } = await import(module);
        const blob = await (await fetch(from)).blob();
        const states = [];
        const client = await connect(url, {
          signalling: dropIn,
          onState: (state) => states.push(state),
        });
        const uploading = client.upload(blob);
        const ids = [];
        for await (const result of client.results) ids.push(result.video_metadata.frame_id);
        await uploading;
        return { ids, states, completion: await client.completion, dropped: client.dropped };
      },
      {
        module: `${gateway.url}/upload.js`,
        url: server.url,
        film: `${gateway.url}/films/short.mp4`,
      },
    );
    assert.deepEqual(
      got.ids,
      Array.from({ length: FRAMES.short }, (_, index) => index + 1),
    );
    assert.deepEqual(got.completion, { terminationReason: null, errors: [] });
    assert.deepEqual(got.states.slice(0, 1), ['connected']);
    assert.equal(got.dropped, 0);
    assert.equal((await server.end()).status, 'done');
  } finally {
    await page.close();
    await server.kill();
  }
});

// Chromium says truly whose page asks, and sends what it may send without asking first.
test("with a list of origins the server's own page may use it, and another may not", async () => {
  server = await Server.start(FIND_BOX, ['--allow-origin', 'https://listed.example']);
  gateway.reset(server);
  const own = await browser.context.newPage();
  const other = await browser.context.newPage();
  try {
    await other.goto(`${gateway.url}/icon.svg`);
    const refused = await other.evaluate(async (url) => {
      const peer = new RTCPeerConnection();
      peer.createDataChannel('video_upload');
      const offer = await peer.createOffer();
      const body = JSON.stringify({ webrtc_offer: { type: 'offer', sdp: offer.sdp } });
      const unasked = await fetch(`${url}/initialise_webrtc_worker`, {
        method: 'POST',
        mode: 'no-cors',
        body,
      });
      const asked = await fetch(`${url}/limits`).then(
        () => 'read',
        () => 'kept from the page',
      );
      peer.close();
      return [unasked.type, asked];
    }, server.url);
    assert.deepEqual(refused, ['opaque', 'kept from the page']);

    await own.goto(`${server.url}/icon.svg`);
    const completion = await own.evaluate(
      async (base64) => {
        const { connect } = await import('/upload.js');
        const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
        const client = await connect(location.origin);
        await client.upload(new Blob([bytes]));
        return client.completion;
      },
      fs.readFileSync(film('short.mp4')).toString('base64'),
    );
    assert.deepEqual(completion, { terminationReason: null, errors: [] });
    // The first session there was is that one.
    const first = await server.event((event) => event.event === 'session');
    const end = await server.end();
    assert.equal(end.status, 'done');
    assert.equal(end.session, first.session);
  } finally {
    await own.close();
    await other.close();
    await server.kill();
  }
});

await run({ setUp, tearDown });
