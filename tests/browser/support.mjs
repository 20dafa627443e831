// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the browser tests share: the server as the program people run, the films, the page's web server, and Chromium.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const here = path.dirname(fileURLToPath(import.meta.url));
const sdk = path.join(here, 'node_modules/@roboflow/inference-sdk/dist');

// For whatever is waited for; only ever reached when something is broken.
export const DEADLINE = 60_000;
// For a whole upload with its analysis, or a browser's start: work, which a busy machine takes its time for.
export const WORK = 3 * DEADLINE;

export const ANALYSE = 'decodebin ! videoconvert ! zbar ! testboxdetector ! fakesink sync=false';
// One that takes its time, in milliseconds a frame.
export const analyseSlowly = (time) =>
  `decodebin ! videoconvert ! zbar ! testboxdetector ! identity sleep-time=${time * 1000} ! fakesink sync=false`;

export async function within(what, promise, deadline = DEADLINE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${deadline / 1000} s: ${what}`)), deadline);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// For what nothing notifies.
export async function eventually(what, condition, deadline = DEADLINE) {
  const end = Date.now() + deadline;
  while (!condition()) {
    if (Date.now() >= end) assert.fail(`not within ${deadline / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// --- films ------------------------------------------------------------------------------------------------------------

const films = {
  // 100 frames: four seconds.
  short: ['100', '25'],
  long: ['250', '25'],
  // Some 7 MB, so that there is time to do something half way.
  large: ['250', '25', '8000'],
};
export const FRAMES = { short: 100, long: 250, large: 250 };

export async function drawFilms(directory) {
  for (const [name, options] of Object.entries(films)) {
    await promisify(execFile)(process.env.MAKE_NUMBERED_VIDEO, [path.join(directory, `${name}.mp4`), ...options]);
  }
}

// The number that frame says it has, out of its result.
export function numberOf(result) {
  const codes = result.serialized_output_data.predictions.predictions.filter((p) => p.class === 'EAN-13');
  assert.equal(codes.length, 1, JSON.stringify(result));
  return Number(codes[0].text.slice(1, 12));
}

// Everything that a frame's result should say about what was drawn.
export function checkResult(result, number) {
  const { predictions, image } = result.serialized_output_data.predictions;
  assert.deepEqual(image, { width: 320, height: 240 });
  assert.equal(numberOf(result), number);
  const boxes = predictions.filter((p) => p.class === 'box');
  assert.equal(boxes.length, 1);
  const [box] = boxes;
  const expected = { x: 264 + 20, y: 4 * (number % 50) + 20, width: 40, height: 40 };
  for (const [field, value] of Object.entries(expected)) {
    assert.ok(Math.abs(box[field] - value) <= 4, `${field} of frame ${number} is ${box[field]}, not ${value}`);
  }
  assert.equal(box.confidence, 0.75);
  assert.equal(typeof box.class_id, 'number');
  assert.equal(typeof box.detection_id, 'string');
  checkMetadata(result, number);
  assert.deepEqual(result.errors, []);
  assert.equal(result.processing_complete, false);
}

export function checkMetadata(result, number) {
  const { pts, time_base: timeBase, width, height, received_at: receivedAt } = result.video_metadata;
  assert.deepEqual({ width, height }, { width: 320, height: 240 });
  assert.ok(Math.abs(pts * timeBase - (number - 1) / 25) < 0.001, `pts of frame ${number}: ${pts} * ${timeBase}`);
  assert.ok(!Number.isNaN(Date.parse(receivedAt)), receivedAt);
}

// --- the server -------------------------------------------------------------------------------------------------------

// How long a client takes is the tests' business: they hold some back, and a busy machine does so with any.
const PATIENT = ['connect', 'idle', 'stall'].flatMap((what) => [`--${what}-timeout`, `${WORK / 1000}`]);

const SANITIZER_REPORT = /ERROR: AddressSanitizer|LeakSanitizer|runtime error: |ThreadSanitizer: /;

export class Server {
  #marker = randomUUID();
  #events = [];
  #waiting = new Set();
  #errors = '';
  #ended;

  // `prefix` is how to begin a command that runs elsewhere, in another network say.
  static async start(pipeline = ANALYSE, options = [], prefix = []) {
    const server = new Server();
    server.spool = fs.mkdtempSync(path.join(os.tmpdir(), 'webrtcupload-spool-'));
    const [program, ...args] = [...prefix, process.env.WEBRTC_UPLOAD];
    server.process = spawn(
      program,
      [...args, 'serve', '--port', '0', '--spool-directory', server.spool, '--pipeline', pipeline, ...PATIENT, ...options],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, WEBRTC_UPLOAD_TEST: server.#marker } },
    );
    server.exited = once(server.process, 'exit');
    server.#ended = server.exited.then(() => assert.fail('the server has ended'));
    server.#ended.catch(() => {}); // It may, when nobody waits for something else.
    server.process.stderr.on('data', (data) => {
      server.#errors += data;
    });
    readline.createInterface({ input: server.process.stdout }).on('line', (line) => {
      server.#events.push(JSON.parse(line));
      for (const look of server.#waiting) look();
    });
    server.url = (await server.event((event) => event.event === 'listening')).url;
    return server;
  }

  // The first event, past or future, that `predicate` accepts.
  async event(predicate, deadline = DEADLINE) {
    let look;
    const found = new Promise((resolve) => {
      look = () => {
        const event = this.#events.find(predicate);
        if (event) resolve(event);
      };
      this.#waiting.add(look);
      look();
    });
    try {
      return await within('a line of the server', Promise.race([found, this.#ended]), deadline);
    } catch (error) {
      throw new Error(`${error.message}\n${JSON.stringify(this.#events.slice(-3))}\n${this.#errors}`);
    } finally {
      this.#waiting.delete(look);
    }
  }

  // How the session ended that was the `number`th to be answered.
  async end(number = 1, deadline = DEADLINE) {
    const sessions = () => this.#events.filter((event) => event.event === 'session');
    await this.event(() => sessions().length >= number, deadline);
    const { session } = sessions()[number - 1];
    return this.event((event) => event.event === 'end' && event.session === session, deadline);
  }

  // The processes that this server has started, itself included, by the mark in their environment.
  processes() {
    return fs.readdirSync('/proc').filter((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      try {
        return fs.readFileSync(`/proc/${pid}/environ`, 'latin1').includes(this.#marker);
      } catch {
        return false; // Not ours, or just gone.
      }
    });
  }

  // Waits until no session's process is left, and until nothing is in the spool directory.
  async idle() {
    const ended = eventually('the end of all session processes', () => this.processes().length <= 1, WORK);
    await Promise.race([ended, this.#ended]);
    assert.deepEqual(fs.readdirSync(this.spool), []);
  }

  // Ends it in order. Nothing may be left.
  async stop() {
    this.process.kill('SIGTERM');
    const [code, signal] = await within('the server to stop', this.exited);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, this.#errors);
    // Of a session, whose end by a sanitizer may look like any other.
    assert.doesNotMatch(this.#errors, SANITIZER_REPORT);
    assert.deepEqual(this.processes(), []);
    assert.deepEqual(fs.readdirSync(this.spool), []);
    fs.rmdirSync(this.spool);
  }

  // As a crash or the kernel does that to the process of its only session.
  async killSession() {
    const sessions = this.processes().filter((pid) => Number(pid) !== this.process.pid);
    assert.equal(sessions.length, 1);
    process.kill(Number(sessions[0]), 'SIGKILL');
  }

  // However a test ended.
  async kill() {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGKILL');
      await this.exited;
    }
    fs.rmSync(this.spool, { recursive: true, force: true });
  }
}

// One line of gst-launch that is a server, as a person types it; its address is in what gst-launch prints.
export async function launchLine(rest) {
  const line = ['webrtcuploadserver', 'port=0', '!', ...rest.split(' ')];
  const child = spawn('gst-launch-1.0', line, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit').then(([status]) => status);
  const listening = new Promise((resolve, reject) => {
    readline.createInterface({ input: child.stdout }).on('line', (text) => {
      const found = text.match(/Waiting for an upload on (http:\S+)/);
      if (found) resolve(found[1]);
    });
    exited.then((status) => reject(new Error(`gst-launch ended with ${status}`)));
  });
  try {
    const url = await within('the address of gst-launch', listening);
    return {
      url,
      end: () => within('the end of gst-launch', exited, WORK),
      kill: () => child.kill('SIGKILL'),
    };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

// --- the page ---------------------------------------------------------------------------------------------------------

const types = { '.html': 'text/html', '.mjs': 'text/javascript', '.js': 'text/javascript', '.mp4': 'video/mp4' };

// The page comes from an origin of its own, so that every call to the server crosses origins.
export async function servePage(filmDirectory) {
  const roots = { '/sdk/': sdk, '/films/': filmDirectory, '/': here };
  const server = http.createServer((request, response) => {
    const [prefix, root] = Object.entries(roots).find(([start]) => request.url.startsWith(start));
    const file = path.join(root, path.basename(request.url.slice(prefix.length)));
    fs.readFile(file, (error, content) => {
      if (error) return response.writeHead(404).end();
      return response.writeHead(200, { 'Content-Type': types[path.extname(file)] ?? 'text/plain' }).end(content);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

// --- the browser ------------------------------------------------------------------------------------------------------

// Without any network but this machine's loopback.
// `hosts`: addresses that pages may reach beside 127.0.0.1.
export async function launchBrowser(hosts = []) {
  const { chromium } = await import('playwright-core');
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'webrtcupload-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM,
    headless: true,
    timeout: WORK,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--allow-loopback-in-peer-connection',
      // A camera and a microphone for the pages that ask for them, and sound without a person's click.
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      '--autoplay-policy=no-user-gesture-required',
      '--disable-features=WebRtcHideLocalIpsWithMdns',
      `--host-resolver-rules=${['MAP * ~NOTFOUND', ...['127.0.0.1', ...hosts].map((host) => `EXCLUDE ${host}`)].join(', ')}`,
    ],
  });
  context.setDefaultTimeout(DEADLINE);
  return {
    context,
    async close() {
      await within('the browser to close', context.close());
      // Its last processes may still be writing, which makes Node wait and try again.
      await fs.promises.rm(profile, { recursive: true, force: true, maxRetries: 30 });
    },
  };
}
