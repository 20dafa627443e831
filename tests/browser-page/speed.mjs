// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Uploads from one Chromium to one server, through upload.js and through the public SDK in turn. The clock runs from the first
// progress in the page to the server's word that the session has ended.

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
  const file = path.join(
    inSdk ? sdk : path.join(here, '../../src/web'),
    path.basename(request.url),
  );
  if (request.url === '/') {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<title>speed</title>');
    return;
  }
  fs.readFile(file, (error, content) => {
    if (error) response.writeHead(404).end();
    else response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(content);
  });
});

const clients = {
  'upload.js': async ({ url, bytes }) => {
    const { connect } = await import('/upload.js');
    const client = await connect(url);
    let begun;
    const onProgress = () => {
      begun ??= Date.now();
    };
    client.completion.catch(() => {});
    await client.upload(new Blob([new Uint8Array(bytes)]), { onProgress });
    await client.completion.catch(() => {});
    return begun;
  },
  SDK: async ({ url, bytes }) => {
    const { connectors, webrtc } = await import('/sdk/index.es.js');
    let begun;
    await new Promise((resolve, reject) => {
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
          onData() {},
          onUploadProgress() {
            begun ??= Date.now();
          },
          onComplete: resolve,
        })
        .catch(reject);
    });
    return begun;
  },
};

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

await new Promise((resolve) => {
  files.listen(0, '127.0.0.1', resolve);
});
const server = await Server.start('fakesink sync=false', ['--max-size', String(size)]);
const browser = await launchBrowser();
const page = await browser.context.newPage();
await page.goto(`http://127.0.0.1:${files.address().port}/`);

const seconds = Object.fromEntries(Object.keys(clients).map((name) => [name, []]));
let sessions = 0;
for (let round = 0; round < rounds; round += 1) {
  for (const [name, client] of Object.entries(clients)) {
    const ended = server.end((sessions += 1), 600e3).then(() => Date.now());
    const begun = await page.evaluate(client, { url: server.url, bytes: size });
    seconds[name].push(((await ended) - begun) / 1e3);
  }
}
const rate = (name) => size / 1e6 / median(seconds[name]);
for (const [name, times] of Object.entries(seconds)) {
  const all = times.map((time) => time.toFixed(2)).join(', ');
  console.log(`${name}: ${all} s; median ${rate(name).toFixed(1)} MB/s`);
}
console.log(
  `upload.js is ${(rate('upload.js') / rate('SDK')).toFixed(2)} times as fast as the SDK`,
);

await browser.close();
await server.stop();
files.close();
files.closeAllConnections();
