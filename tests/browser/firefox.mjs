// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Firefox as it is installed, with a new profile, driven by WebDriver BiDi. Nothing is set that has to do with WebRTC.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import WebSocket from 'ws';

import { eventually, within, WORK } from './support.mjs';

// A tab.
class Tab {
  constructor(browser, context) {
    Object.assign(this, { browser, context });
  }

  async open(url) {
    await this.browser.command('browsingContext.navigate', { context: this.context, url, wait: 'complete' });
  }

  // Of an expression in the page, whose value is JSON; promises are waited for.
  async evaluate(expression) {
    const { type, result, exceptionDetails } = await this.browser.command('script.evaluate', {
      expression: `(async () => JSON.stringify((await (${expression})) ?? null))()`,
      target: { context: this.context },
      awaitPromise: true,
    });
    assert.equal(type, 'success', exceptionDetails?.text);
    return JSON.parse(result.value);
  }

  async waitFor(what, expression, deadline = WORK) {
    const script = `new Promise((resolve) => {
      const look = () => { if (${expression}) resolve(true); else setTimeout(look, 50); };
      look();
    })`;
    await within(what, this.evaluate(script), deadline);
  }

  async setFile(selector, file) {
    const { result } = await this.browser.command('script.evaluate', {
      expression: `document.querySelector(${JSON.stringify(selector)})`,
      target: { context: this.context },
      awaitPromise: false,
    });
    await this.browser.command('input.setFiles', {
      context: this.context,
      element: { sharedId: result.sharedId },
      files: [file],
    });
  }

  async screenshot(file) {
    const { data } = await this.browser.command('browsingContext.captureScreenshot', {
      context: this.context,
      origin: 'document',
    });
    fs.writeFileSync(file, Buffer.from(data, 'base64'));
  }

  // What the page said in its console, and did not catch.
  get problems() {
    return this.browser.log.filter(({ source, level }) => source.context === this.context && level === 'error');
  }

  async close() {
    await this.browser.command('browsingContext.close', { context: this.context });
  }
}

export class Firefox {
  log = [];
  #commands = new Map();
  #number = 0;
  #said = '';

  static async launch() {
    const browser = new Firefox();
    browser.home = fs.mkdtempSync(path.join(os.tmpdir(), 'webrtcupload-firefox-'));
    const profile = path.join(browser.home, 'profile');
    fs.mkdirSync(profile);
    // Its own processes have criticals of GLib's, which are for our programs to die of.
    const { G_DEBUG: _, ...environment } = process.env;
    browser.process = spawn(
      process.env.FIREFOX,
      ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port=0', 'about:blank'],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...environment, HOME: browser.home, MOZ_CRASHREPORTER_DISABLE: '1' } },
    );
    browser.exited = once(browser.process, 'exit');
    try {
      await browser.#connect();
    } catch (error) {
      await browser.kill();
      throw new Error(`${error.message}\n${browser.#said}`);
    }
    return browser;
  }

  async #connect() {
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.on('data', (data) => {
        this.#said += data;
      });
    }
    const listening = /WebDriver BiDi listening on (ws:\/\/\S+)/;
    await eventually('Firefox to listen', () => listening.test(this.#said), WORK);
    this.socket = new WebSocket(`${this.#said.match(listening)[1]}/session`, { perMessageDeflate: false });
    this.socket.on('message', (data) => {
      const message = JSON.parse(data);
      if (message.type === 'event') this.log.push(message.params);
      else this.#commands.get(message.id)?.(message);
    });
    await within('a connection to Firefox', once(this.socket, 'open'), WORK);
    const { capabilities } = await this.command('session.new', { capabilities: {} });
    this.version = capabilities.browserVersion;
    await this.command('session.subscribe', { events: ['log.entryAdded'] });
  }

  async command(method, params) {
    this.#number += 1;
    const id = this.#number;
    const answered = new Promise((resolve) => {
      this.#commands.set(id, resolve);
    });
    this.socket.send(JSON.stringify({ id, method, params }));
    const answer = await within(method, answered, WORK);
    this.#commands.delete(id);
    if (answer.type === 'error') throw new Error(`${method}: ${answer.error}: ${answer.message}`);
    return answer.result;
  }

  async newTab({ width = 1280, height = 900 } = {}) {
    const { context } = await this.command('browsingContext.create', { type: 'tab' });
    await this.command('browsingContext.setViewport', { context, viewport: { width, height } });
    return new Tab(this, context);
  }

  async close() {
    await this.command('browser.close', {});
    await within('Firefox to end', this.exited, WORK);
    await fs.promises.rm(this.home, { recursive: true, force: true, maxRetries: 30 });
  }

  async kill() {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGKILL');
      await this.exited;
    }
    await fs.promises.rm(this.home, { recursive: true, force: true, maxRetries: 30 });
  }
}
