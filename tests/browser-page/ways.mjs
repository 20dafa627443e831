// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Measures uploads from Chromium over several connections and ways: what the rule for their number rests on (docs/javascript.md).
//
//   WEBRTC_UPLOAD=... CHROMIUM=... BYTES=30e6 ROUNDS=1 DELAY=25 LOSS=0.001 CONNECTIONS=1,2,4,8,auto node ways.mjs

import assert from 'node:assert/strict';

import { launchBrowser, Server } from '../browser/support.mjs';
import { RelayedServer } from './relayed.mjs';

const number = (name, other) => Number(process.env[name] ?? other);
const size = number('BYTES', 30e6);
const rounds = number('ROUNDS', 1);
const way = { delay: number('DELAY', 0), loss: number('LOSS', 0) };
const kinds = (process.env.CONNECTIONS ?? '1,2,4,8,auto').split(',');

async function upload({ url, bytes, connections }) {
  const { connect } = await import('/upload.js');
  const made = [];
  const Original = (window.Original ??= RTCPeerConnection);
  window.RTCPeerConnection = class extends Original {
    constructor(...rest) {
      super(...rest);
      made.push(Math.round(performance.now()));
    }
  };
  const client = await connect(url, { connections });
  client.completion.catch(() => {});
  const content = new Uint8Array(bytes).map((_, at) => at % 251);
  const begun = performance.now();
  const { verified } = await client.upload(new Blob([content]));
  const seconds = (performance.now() - begun) / 1000;
  await client.completion.catch(() => {});
  return { seconds, verified, made: made.map((time) => Math.round(time - begun)) };
}

const options = ['--max-size', '1000000000', '--max-connections', '8'];
const server = await Server.start('fakesink sync=false', options);
const relayed = await RelayedServer.start(server, Infinity, way);
const browser = await launchBrowser();
const page = await browser.context.newPage();
await page.goto(`${relayed.url}/`);
const times = Object.fromEntries(kinds.map((kind) => [kind, []]));
for (let round = 0; round < rounds; round += 1) {
  for (const kind of kinds) {
    const connections = kind === 'auto' ? kind : Number(kind);
    const told = { url: relayed.url, bytes: size, connections };
    const { seconds, verified, made } = await page.evaluate(upload, told);
    assert.equal(verified, true);
    times[kind].push(seconds);
    const rate = (size / 1e6 / seconds).toFixed(2);
    console.log(`${kind}: ${seconds.toFixed(2)} s, ${rate} MB/s; connections begun at ${made} ms`);
  }
}
await browser.close();
relayed.close();
await server.stop();
