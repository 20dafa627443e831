// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What else there is to do with the page and its client: one line of gst-launch as their server, and pages of other origins.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';

import { FRAMES, launchLine, Server, within, WORK } from '../browser/support.mjs';
import { run, test } from '../browser/tap.mjs';
import { downloaded, film, setUp, Tab, tearDown, world } from './page_tab.mjs';
import { FIND_BOX } from './support.mjs';

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
  world.server = await Server.start(FIND_BOX, ['--allow-origin', world.gateway.url]);
  world.gateway.reset(world.server);
  const page = await world.browser.context.newPage();
  try {
    await page.goto(`${world.gateway.url}/icon.svg`);
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
        module: `${world.gateway.url}/upload.js`,
        url: world.server.url,
        film: `${world.gateway.url}/films/short.mp4`,
      },
    );
    assert.deepEqual(
      got.ids,
      Array.from({ length: FRAMES.short }, (_, index) => index + 1),
    );
    assert.deepEqual(got.completion, { terminationReason: null, errors: [] });
    assert.deepEqual(got.states.slice(0, 1), ['connected']);
    assert.equal(got.dropped, 0);
    assert.equal((await world.server.end()).status, 'done');
  } finally {
    await page.close();
    await world.server.kill();
  }
});

// Chromium says truly whose page asks, and sends what it may send without asking first.
test("the server's own page may use it, and another may not", async () => {
  world.server = await Server.start(FIND_BOX);
  world.gateway.reset(world.server);
  const own = await world.browser.context.newPage();
  const other = await world.browser.context.newPage();
  try {
    await other.goto(`${world.gateway.url}/icon.svg`);
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
    }, world.server.url);
    assert.deepEqual(refused, ['opaque', 'kept from the page']);

    await own.goto(`${world.server.url}/icon.svg`);
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
    const first = await world.server.event((event) => event.event === 'session');
    const end = await world.server.end();
    assert.equal(end.status, 'done');
    assert.equal(end.session, first.session);
  } finally {
    await own.close();
    await other.close();
    await world.server.kill();
  }
});

await run({ setUp, tearDown });
