// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Uploads from one Chromium to one server, through upload.js in each of its ways and through the public SDK in turn. The
// clock is the page's: from the first progress to the server's last word to the client, which comes when the server has the
// whole file. Below tests/bench/far-command.cpp the server is at the other end of its network. BARS in the environment, as
// "v2/v1=0.95 ...", are ratios of the medians that must be reached; WAYS are those that are measured, if not all. UPLOAD_JS is
// the directory of the packed upload.js.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { launchBrowser, Server } from '../browser/support.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const sdk = path.join(here, '../browser/node_modules/@roboflow/inference-sdk/dist');
const size = Number(process.env.BYTES ?? 100e6);
const rounds = Number(process.env.ROUNDS ?? 5);

const files = http.createServer((request, response) => {
  const inSdk = request.url.startsWith('/sdk/');
  const file = path.join(inSdk ? sdk : process.env.UPLOAD_JS, path.basename(request.url));
  if (request.url === '/') {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<title>speed</title>');
    return;
  }
  fs.readFile(file, (error, content) => {
    if (error) response.writeHead(404).end();
    else response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(content);
  });
});

const uploadJs = async ({ url, bytes, options }) => {
  const { connect } = await import('/upload.js');
  const client = await connect(url, options);
  let begun;
  const onProgress = () => {
    begun ??= Date.now();
  };
  client.completion.catch(() => {});
  await client.upload(new Blob([new Uint8Array(bytes)]), { onProgress });
  await client.completion.catch(() => {});
  return Date.now() - begun;
};

// Each with options for connect().
const ways = {
  v1: { protocol: 'v1' },
  v2: { protocol: 'v2', connections: 1 },
  auto: {},
};

const allClients = {
  ...Object.fromEntries(Object.keys(ways).map((way) => [way, uploadJs])),
  SDK: async ({ url, bytes }) => {
    const { connectors, webrtc } = await import('/sdk/index.es.js');
    let begun;
    return new Promise((resolve, reject) => {
      webrtc
        .useVideoFile({
          file: new File([new Uint8Array(bytes)], 'film.mp4'),
          connector: connectors.withApiKey('none', { serverUrl: url }),
          wrtcParams: {
            workspaceName: 'any',
            workflowId: 'any',
            iceServers: [],
            dataOutputNames: [],
            realtimeProcessing: false,
          },
          onData(data) {
            if (data.processing_complete) resolve(Date.now() - begun);
          },
          onUploadProgress() {
            begun ??= Date.now();
          },
        })
        .catch(reject);
    });
  },
};

const wanted = process.env.WAYS?.split(' ') ?? Object.keys(allClients);
const clients = Object.fromEntries(wanted.map((name) => [name, allClients[name]]));

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

await new Promise((resolve) => {
  files.listen(0, '127.0.0.1', resolve);
});
const origin = `http://127.0.0.1:${files.address().port}`;
const options = ['--max-size', String(size), '--allow-origin', origin];
const address = process.env.FAR_NETWORK_ADDRESS;
if (address) options.push('--address', address, '--insecure');
const prefix = process.env.FAR_NETWORK_NEAR?.split(' ') ?? [];
const server = await Server.start('fakesink sync=false', options, prefix);
const browser = await launchBrowser(address ? [address] : []);
const page = await browser.context.newPage();
await page.goto(`${origin}/`);

const seconds = Object.fromEntries(Object.keys(clients).map((name) => [name, []]));
let sessions = 0;
for (let round = 0; round < rounds; round += 1) {
  // Each goes first in turn.
  const order = Object.entries(clients);
  for (const [name, client] of round % 2 ? order.reverse() : order) {
    const ended = server.end((sessions += 1), 600e3);
    const task = { url: server.url, bytes: size, options: ways[name] };
    seconds[name].push((await page.evaluate(client, task)) / 1e3);
    assert.equal((await ended).bytes, size);
  }
}
const rate = (name) => size / 1e6 / median(seconds[name]);
for (const [name, times] of Object.entries(seconds)) {
  const all = times.map((time) => time.toFixed(2)).join(', ');
  console.log(`${name}: ${all} s; median ${rate(name).toFixed(2)} MB/s`);
}
for (const bar of process.env.BARS?.split(' ') ?? []) {
  const [, of, over, least] = /^(\w+)\/(\w+)=(.+)$/.exec(bar);
  const ratio = rate(of) / rate(over);
  console.log(`${of} over ${over}: ${ratio.toFixed(2)} (at least ${least})`);
  if (ratio < Number(least)) process.exitCode = 1;
}

await browser.close();
await server.stop();
files.close();
files.closeAllConnections();
