// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What every test of an upload does: a server and a tab of its own, the SDK started in it, nothing left behind; and what is
// always expected of the results.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import * as support from './support.mjs';
import { run, test } from './tap.mjs';

const { Server, within, WORK } = support;

let filmDirectory;
let pageServer;
let pageUrl;
let browser;

async function setUp() {
  filmDirectory = fs.mkdtempSync(path.join(os.tmpdir(), 'webrtcupload-films-'));
  await support.drawFilms(filmDirectory);
  pageServer = await support.servePage(filmDirectory);
  pageUrl = `http://127.0.0.1:${pageServer.address().port}`;
  browser = await support.launchBrowser();
}

async function tearDown() {
  pageServer?.close();
  if (filmDirectory) fs.rmSync(filmDirectory, { recursive: true, force: true });
  await browser?.close();
}

// A tab with the page in it, and what it says about what it cannot handle.
export class Tab {
  problems = [];

  static async open() {
    const tab = new Tab();
    tab.page = await browser.context.newPage();
    tab.page.on('pageerror', (error) => tab.problems.push(error.message));
    await tab.page.goto(`${pageUrl}/page.html`);
    assert.deepEqual(tab.problems, []);
    return tab;
  }

  start(server, film, options = {}) {
    const all = { url: server.url, film: `/films/${film}.mp4`, ...options };
    return within('the start of the upload', this.page.evaluate((given) => window.client.start(given), all), WORK);
  }

  // Calls a method of the page's client.
  call(method, ...args) {
    return within(method, this.page.evaluate(([name, given]) => window.client[name](...given), [method, args]), WORK);
  }

  async close() {
    await within('the tab to close', this.page.close());
    assert.deepEqual(this.problems, []);
  }
}

// A test with a server and a tab of its own, neither of which it may leave anything behind in.
export function uploadTest(name, { pipeline = support.ANALYSE, options = [] }, body) {
  test(name, async () => {
    const server = await Server.start(pipeline, ['--allow-origin', pageUrl, ...options]);
    let tab;
    try {
      tab = await Tab.open();
      await body(server, tab);
      await tab.close();
      await server.idle();
      await server.stop();
    } finally {
      await server.kill();
      if (tab && !tab.page.isClosed()) await tab.page.close();
    }
  });
}

// Of what came until onComplete: results, one completion, the close; and their order.
export function splitFinished({ results, calls }) {
  const frames = results.slice(0, -1);
  const completion = results[results.length - 1];
  assert.deepEqual(calls, [...frames.map(() => 'result'), 'processing complete', 'complete']);
  return { frames, completion };
}

export function checkCompleted(completion) {
  assert.equal(completion.processing_complete, true);
  assert.equal(completion.termination_reason, null);
  assert.deepEqual(completion.errors, []);
}

export function checkAllFrames(finished, count) {
  const { frames, completion } = splitFinished(finished);
  assert.equal(frames.length, count);
  frames.forEach((result, index) => {
    support.checkResult(result, index + 1);
    assert.equal(result.video_metadata.frame_id, index + 1);
  });
  checkCompleted(completion);
}

// Of a page, to crash it.
export function devTools(tab) {
  return browser.context.newCDPSession(tab.page);
}

// After all tests of a file.
export function runAll() {
  return run({ setUp, tearDown });
}
