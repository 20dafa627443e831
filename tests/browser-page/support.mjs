// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the page's tests have beyond tests/browser: films of other kinds, a pipeline that waits to be told, and a web server
// between page and program that says what the program would not, and stays when it goes.

import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { drawFilms as drawNumberedFilms, within } from '../browser/support.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const web = process.env.WEB_DIRECTORY ?? path.join(here, '../../src/web');

// --- films ------------------------------------------------------------------------------------

export async function drawFilms(directory) {
  const run = promisify(execFile);
  const film = (name) => path.join(directory, name);
  await drawNumberedFilms(directory);
  await run(path.join(here, '../support/make_video.sh'), [film('people.mp4')]);
  // With 24 MB of nothing at its end, so that the upload takes a while on any machine.
  const nothing = Buffer.alloc(24e6);
  nothing.writeUInt32BE(nothing.length);
  nothing.write('free', 4);
  fs.writeFileSync(
    film('padded.mp4'),
    Buffer.concat([fs.readFileSync(film('large.mp4')), nothing]),
  );
  // Of a kind that browsers do not play.
  const avi = `videotestsrc num-buffers=50 ! video/x-raw,width=320,height=240 ! jpegenc ! avimux ! filesink location=${film('old.avi')}`;
  await run('gst-launch-1.0', ['-q', ...avi.split(' ')]);
  fs.writeFileSync(film('letter.mp4'), 'Dear reader, this is no video.\n'.repeat(5000));
  fs.writeFileSync(film('empty.mp4'), '');
}

// In the numbered films, frame N has a red box of 40x40 with its corner at (264, 4 * (N % 50)), in 320x240.
export const FIND_BOX = 'decodebin ! videoconvert ! testboxdetector ! fakesink sync=false';
// Takes its time, in milliseconds a frame.
export const findBoxSlowly = (time) =>
  `decodebin ! videoconvert ! testboxdetector ! identity sleep-time=${time * 1000} ! fakesink sync=false`;
export const FIND_PEOPLE =
  'decodebin ! videoconvert ! facedetect profile=/usr/share/opencv4/haarcascades/haarcascade_fullbody.xml ' +
  'display=false ! fakesink sync=false';

// An analysis that goes as far as it is told: behind the detector is a FIFO, which has no room for a whole frame. A frame's
// result is out before the frame gets there, so there is one more of those.
export class Gate {
  static #FRAME_BYTES = (320 * 240 * 3) / 2;
  #reader = null;

  constructor(directory) {
    this.path = path.join(directory, 'gate');
    execFileSync('mkfifo', [this.path]);
    // Both ends, so that nobody waits for the other to open theirs, and none is ever the last.
    this.fifo = fs.openSync(this.path, fs.constants.O_RDWR);
    this.pipeline = `decodebin ! videoconvert ! testboxdetector ! filesink buffer-mode=unbuffered location=${this.path}`;
  }

  async let(frames) {
    const taking = spawn('head', ['-c', String(frames * Gate.#FRAME_BYTES)], {
      stdio: [this.fifo, 'ignore', 'inherit'],
    });
    this.#reader = taking;
    await within(`${frames} frames`, once(taking, 'exit'));
  }

  // As many as there are.
  open() {
    this.#reader = spawn('cat', { stdio: [this.fifo, 'ignore', 'inherit'] });
  }

  close() {
    this.#reader?.kill('SIGKILL');
    fs.closeSync(this.fifo);
    fs.rmSync(this.path);
  }
}

// --- the web server ---------------------------------------------------------------------------

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.mp4': 'video/mp4',
};

export function policyFor(html) {
  const [, style] = html.match(/<style>([^]*?)<\/style>/);
  const hash = createHash('sha256').update(style).digest('base64');
  return (
    `default-src 'none'; script-src 'self'; style-src 'sha256-${hash}'; img-src 'self'; media-src blob:; ` +
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
  );
}

async function bodyOf(message) {
  const parts = [];
  for await (const part of message) parts.push(part);
  return Buffer.concat(parts).toString();
}

// On a connection of its own: on one that was kept, a request and the server's closing it may cross.
async function ask(url, { method, headers, body }) {
  const request = http.request(url, { method, headers, agent: false }).end(body);
  const [reply] = await once(request, 'response');
  return { status: reply.statusCode, headers: reply.headers, text: await bodyOf(reply) };
}

// Serves the page, and speaks WHIP to it and the drop-in way to `server`.
export class Gateway {
  static async start(filmDirectory) {
    const gateway = new Gateway();
    gateway.films = filmDirectory;
    gateway.reset();
    gateway.http = http.createServer((request, response) => {
      gateway
        .answer(request, response)
        .catch((error) => response.writeHead(502).end(String(error)));
    });
    gateway.http.listen(0, '127.0.0.1');
    await once(gateway.http, 'listening');
    gateway.url = `http://127.0.0.1:${gateway.http.address().port}`;
    return gateway;
  }

  reset(server = null, limits = { max_size: 524288000, keys_required: false, formats: null }) {
    Object.assign(this, { server, limits, deleted: 0, offers: [] });
  }

  async answer(request, response) {
    const url = new URL(request.url, this.url);
    const json = (status, value) =>
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
    if (url.pathname === '/limits') {
      if (this.limits) json(200, this.limits);
      else json(404, { message: 'There is nothing at /limits.' });
    } else if (url.pathname === '/upload' && request.method === 'OPTIONS') {
      response.writeHead(204, { 'Accept-Post': 'application/sdp' }).end();
    } else if (url.pathname === '/upload') {
      await this.negotiate(request, url.searchParams, response, json);
    } else if (url.pathname.startsWith('/sessions/')) {
      if (request.method === 'DELETE') this.deleted += 1;
      const { authorization = '' } = request.headers;
      const reply = await ask(new URL(url.pathname, this.server.url), {
        method: request.method,
        headers: { authorization },
      });
      response.writeHead(reply.status).end(reply.text);
    } else {
      this.file(url.pathname, response);
    }
  }

  async negotiate(request, query, response, json) {
    assert.equal(request.headers['content-type'], 'application/sdp');
    const sdp = await bodyOf(request);
    this.offers.push({ sdp, query: query.toString() });
    const reply = await ask(new URL('/initialise_webrtc_worker', this.server.url), {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        ...(request.headers.authorization && { authorization: request.headers.authorization }),
      },
      body: JSON.stringify({
        webrtc_offer: { type: 'offer', sdp },
        webrtc_realtime_processing: query.get('realtime') === 'true',
        data_output: query.getAll('data_output'),
        stream_output: [],
      }),
    });
    const said = JSON.parse(reply.text);
    if (reply.status !== 200) {
      json(reply.status, said);
      return;
    }
    const headers = { 'Content-Type': 'application/sdp', Location: reply.headers.location };
    response.writeHead(201, headers).end(said.sdp);
  }

  file(name, response) {
    const page = name === '/' ? '/index.html' : name;
    const file = page.startsWith('/films/')
      ? path.join(this.films, path.basename(page))
      : path.join(web, path.basename(page));
    fs.readFile(file, (error, content) => {
      if (error) {
        response.writeHead(404).end();
        return;
      }
      const headers = { 'Content-Type': types[path.extname(file)] ?? 'application/octet-stream' };
      if (page === '/index.html') headers['Content-Security-Policy'] = policyFor(String(content));
      response.writeHead(200, headers).end(content);
    });
  }
}
