// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Uploads of the public JavaScript SDK in a real Chromium that do not end well.

import assert from 'node:assert/strict';

import { runAll, splitFinished, uploadTest } from './upload_test.mjs';

const PREDICTIONS = { dataOutputNames: ['predictions'] };

uploadTest('the upload is cancelled half way: cleanup()', {}, async (server, tab) => {
  await tab.start(server, 'large', { params: PREDICTIONS, atHalf: 'cleanup' });
  await tab.call('halfUploaded');
  const end = await server.end();
  assert.deepEqual([end.status, end.code], ['failed', 'peer-gone']);
  await server.idle();
});

uploadTest('the upload just stops half way: the client is told', { options: ['--idle-timeout', '3'] }, async (server, tab) => {
  await tab.start(server, 'large', { params: PREDICTIONS, atHalf: 'cancelUpload' });
  const { frames, completion } = splitFinished(await tab.call('finished'));
  assert.deepEqual(frames, []);
  assert.equal(completion.processing_complete, true);
  assert.equal(completion.termination_reason, 'idle-timeout');
  assert.equal(completion.errors.length, 1);
  const end = await server.end();
  assert.deepEqual([end.status, end.code], ['failed', 'idle-timeout']);
});

uploadTest('what is no film: the client is told why', {}, async (server, tab) => {
  await tab.start(server, '../page', { film: '/page.html' });
  const { frames, completion } = splitFinished(await tab.call('finished'));
  assert.deepEqual(frames, []);
  assert.equal(completion.processing_complete, true);
  assert.equal(completion.errors.length, 1);
});

// In the page: hands a whole film to its channel at once, and closes one of the two before anything was answered.
async function sendAndClose({ url, film, closes }) {
  const bytes = await (await fetch(film)).arrayBuffer();
  const connection = new RTCPeerConnection();
  const channel = connection.createDataChannel('video_upload');
  const open = new Promise((resolve) => channel.addEventListener('open', resolve, { once: true }));
  const gathered = new Promise((resolve) => {
    connection.addEventListener('icecandidate', ({ candidate }) => candidate || resolve());
  });
  await connection.setLocalDescription();
  await gathered;
  const reply = await fetch(`${url}/initialise_webrtc_worker`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ webrtc_offer: { type: 'offer', sdp: connection.localDescription.sdp } }),
  });
  await connection.setRemoteDescription(await reply.json());
  await open;
  const size = 49152;
  const total = Math.ceil(bytes.byteLength / size);
  for (let index = 0; index < total; index += 1) {
    const payload = new Uint8Array(bytes, index * size, Math.min(size, bytes.byteLength - index * size));
    const message = new Uint8Array(8 + payload.length);
    const header = new DataView(message.buffer);
    header.setUint32(0, index, true);
    header.setUint32(4, total, true);
    message.set(payload, 8);
    channel.send(message);
  }
  const waiting = channel.bufferedAmount;
  ({ channel, connection })[closes].close();
  return { total, waiting };
}

for (const closes of ['channel', 'connection']) {
  uploadTest(`the ${closes} is closed with the film in its queue`, {}, async (server, tab) => {
    const given = { url: server.url, film: '/films/large.mp4', closes };
    const sent = await tab.page.evaluate(sendAndClose, given);
    assert.ok(sent.waiting > 0);
    const end = await server.end();
    console.log(`# ${end.chunks} of ${sent.total} chunks came`);
    // Of a channel all is sent, and the last chunks may be lost even so; but no part of a film is taken for the whole.
    const whole = closes === 'channel' && end.status === 'done';
    assert.deepEqual([end.status, end.code], whole ? ['done', null] : ['failed', 'peer-gone']);
    assert.equal(end.chunks === sent.total, whole);
    if (closes === 'channel') assert.ok(end.chunks >= sent.total / 2, end.message);
  });
}

await runAll();
