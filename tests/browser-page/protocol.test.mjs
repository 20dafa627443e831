// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The two clients that docs/protocol.md shows, as they stand there, on channels that the tests move by hand.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';

import { FakeChannel, resultMessage } from './fake_connection.mjs';

const text = fs.readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
const [upload, results] = [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => {
  const [, name] = code.match(/function (\w+)/);
  return new Function(`${code}\nreturn ${name};`)();
});
const settle = async () => {
  for (let i = 0; i < 50; i += 1) await new Promise(setImmediate);
};
const result = (id, more = {}) => resultMessage(id, 0, 1, JSON.stringify({ id, ...more }));

test('the sender: all chunks, then the echo', async () => {
  const channel = new FakeChannel();
  const uploading = upload(channel, new Blob([new Uint8Array(49152 + 5)]));
  channel.open();
  while (channel.sent.length < 3) await settle();
  assert.deepEqual(
    channel.sent.map((message) => message.length),
    [49152 + 8, 5 + 8, 1],
  );
  channel.receive(new ArrayBuffer(1));
  await uploading;
});

test('the sender: a channel that closes', async () => {
  const channel = new FakeChannel();
  const uploading = upload(channel, new Blob([new Uint8Array(10 * 49152)]));
  channel.open();
  while (channel.sent.length < 3) await settle();
  channel.closed();
  await assert.rejects(uploading, /closed/);
});

test('the reader of results acknowledges while somebody listens', () => {
  const channel = new FakeChannel();
  const seen = [];
  let ended;
  results(
    channel,
    ({ id }) => seen.push(id),
    (...how) => {
      ended = how;
    },
  );
  channel.open();
  channel.onmessage({ data: result(1) });
  assert.deepEqual(channel.sent, ['{"ack":1}']);
  // The channel closes while a result is looked at.
  channel.close();
  channel.onmessage({ data: result(2) });
  assert.deepEqual([seen, channel.sent.length], [[1, 2], 1]);
  channel.onmessage({ data: result(3, { processing_complete: true, termination_reason: null }) });
  channel.onclose();
  assert.equal(ended[0], null);
});
