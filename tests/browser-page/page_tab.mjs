// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The page in a tab of a real Chromium, with the real server behind it, used as a person would: what all tests of it share.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { launchBrowser, Server, WORK } from '../browser/support.mjs';
import { test } from '../browser/tap.mjs';
import { RelayedServer } from './relayed.mjs';
import { drawFilms, FIND_BOX, findBoxSlowly, Gate, Gateway } from './support.mjs';

// Whatever is to happen half way has time: a film of 250 frames is not done for minutes.
export const FIND_BOX_FOR_MINUTES = findBoxSlowly(1000);

const shots = process.env.SCREENSHOTS; // A directory; none are kept without.

// What there is at the moment: the films' directory, the web server between, the browser, the program, and a
// network between that can be cut.
export const world = { films: null, gateway: null, browser: null, server: null, relayed: null };

export async function setUp() {
  world.films = fs.mkdtempSync(path.join(os.tmpdir(), 'webrtcupload-films-'));
  await drawFilms(world.films);
  world.gateway = await Gateway.start(world.films);
  world.browser = await launchBrowser();
}

export async function tearDown() {
  await world.browser?.close();
  world.gateway?.http.close();
  world.gateway?.http.closeAllConnections();
  if (world.films) fs.rmSync(world.films, { recursive: true, force: true });
}

export const film = (name) => path.join(world.films, name);

// A tab with the page, that nothing may be wrong with in the end: no error said in the console, no
// request to anywhere else.
export class Tab {
  problems = [];
  requests = [];
  deleted = 0;

  static async open({ base, colorScheme = 'light', width = 1280, height = 900, expected = /^$/ }) {
    const tab = new Tab();
    tab.base = base;
    const page = await world.browser.context.newPage();
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

export function pageTest(
  name,
  { pipeline = FIND_BOX, options = [], tab: tabOptions = {}, ...rest },
  body,
) {
  test(name, async () => {
    const gate = rest.gated ? new Gate(world.films) : null;
    world.server = await Server.start(gate?.pipeline ?? pipeline, options);
    world.gateway.reset(world.server, rest.limits);
    world.relayed = rest.cutAfter ? await RelayedServer.start(world.server, rest.cutAfter) : null;
    let tab;
    try {
      // The gateway stands in where the server has to change, to lie or to go; the relay where the network has to.
      const gateway = rest.gateway || 'limits' in rest ? world.gateway : null;
      const base = (world.relayed ?? gateway ?? world.server).url;
      tab = await Tab.open({ base, ...tabOptions });
      await body(tab, gate);
      await tab.close();
      if (world.server.process.exitCode === null && world.server.process.signalCode === null) {
        await world.server.idle();
        await world.server.stop();
      }
    } catch (error) {
      if (tab && !tab.page.isClosed()) await tab.shot(`failed-${name.replace(/\W+/g, '-')}`);
      throw error;
    } finally {
      await world.server.kill();
      gate?.close();
      world.relayed?.close();
      if (tab && !tab.page.isClosed()) await tab.page.close();
    }
  });
}

export async function downloaded(tab) {
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
