// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the page says: numbers, errors, and what it keeps of results.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';

import { Findings } from '../../src/web/results.js';
import { UploadError } from '../../src/web/upload.js';
import * as words from '../../src/web/words.js';

test('numbers as people write them', () => {
  assert.deepEqual([0, 999, 1000, 15200, 524288000, 999600].map(words.bytes), [
    '0 bytes',
    '999 bytes',
    '1 kB',
    '15.2 kB',
    '524 MB',
    '1 MB',
  ]);
  assert.deepEqual(
    [0, 59.6, 75, 3600, 3661].map((time) => words.clock(time)),
    ['0:00', '1:00', '1:15', '1:00:00', '1:01:01'],
  );
  assert.deepEqual(
    [0, 3.48, 59.999, 3600.5].map((time) => words.clock(time, 2)),
    ['0:00.00', '0:03.48', '1:00.00', '1:00:00.50'],
  );
  assert.deepEqual([null, 0.2, 59, 60, 5400].map(words.timeLeft), [
    '',
    '1 s left',
    '59 s left',
    '1 min left',
    '1.5 h left',
  ]);
  assert.deepEqual([61, 9, 0].map(words.tryingFor), [
    'trying again for 1:01',
    'trying again for 0:09',
    'trying once more',
  ]);
  const film = { name: 'Film.MKV', type: 'video/x-matroska' };
  assert.deepEqual(
    [['.mkv'], ['mkv'], ['video/*'], ['video/x-matroska'], ['.mp4', 'video/mp4']].map((formats) =>
      words.matchesFormat(film, formats),
    ),
    [true, true, true, true, false],
  );
});

test('every error of the protocol has words of its own', () => {
  const protocol = fs.readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
  const ours = [
    'bad-answer',
    'connect-timeout',
    'crashed',
    'file-unreadable',
    'network-failed',
    'no-audio',
    'no-video',
    'payment-required',
    'sandbox-violation',
    'server-gone',
    'timeout_reached',
    'too-many-sessions',
    'too-much-memory',
    'unsupported',
  ];
  // The tables of errors, and no other: their first column.
  const errors = protocol.slice(
    protocol.indexOf('\n## Errors'),
    protocol.indexOf('\n## The results channel'),
  );
  const codes = [...errors.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code]) => code);
  assert.ok(codes.includes('cancelled') && codes.includes('too-fragmented'), codes.join(' '));
  assert.ok(codes.length > 30, codes.join(' '));
  for (const code of [...codes, ...ours]) {
    const { title, advice } = words.explain(new UploadError(code, 'x'), null);
    assert.notEqual(title, 'Something went wrong.', code);
    assert.ok(advice.length > 0, code);
  }
  for (const odd of ['new-one', 'constructor', '__proto__', 'toString', '']) {
    assert.equal(
      words.explain(new UploadError(odd, 'x'), null).title,
      'Something went wrong.',
      odd,
    );
  }
});

test('how long to wait, where the server says it', () => {
  const busy = (more) => words.explain(new UploadError('too-many-sessions', 'Busy.', more)).advice;
  assert.equal(busy({}), 'Wait a little and try again.');
  assert.equal(busy({ retryAfter: 0 }), 'Wait a little and try again.');
  assert.equal(busy({ retryAfter: 1 }), 'Wait 1 second and try again.');
  assert.equal(busy({ retryAfter: 5 }), 'Wait 5 seconds and try again.');
});

test('a frame is shown until the next one begins, however long that takes', () => {
  const findings = new Findings();
  for (const time of [0.8, 0.84, 1.8]) {
    findings.add({ video_metadata: { pts: Math.round(time * 90000), time_base: 1 / 90000 } });
  }
  assert.deepEqual(
    [0, 0.79, 0.8, 0.83, 0.85, 1.7, 1.79, 1.8].map((time) => findings.frameAt(time)),
    [-1, -1, 0, 0, 1, 1, 1, 2],
  );
  assert.deepEqual(
    [0, 1, 2].map((frame) => findings.frameAt(findings.within(frame))),
    [0, 1, 2],
  );
});

test('what is kept of results, and found again by time', async () => {
  const findings = new Findings();
  assert.equal(findings.frameAt(0), -1);
  const frame = (number, outputs) => ({
    serialized_output_data: outputs,
    video_metadata: {
      frame_id: number,
      pts: (number - 1) * 3600,
      time_base: 1 / 90000,
      width: 320,
      height: 240,
    },
  });
  const box = { x: 30, y: 40, width: 20, height: 10, confidence: 0.5, class: 'box' };
  const kept = [1, 2, 3, 4].map((number) =>
    findings.add(frame(number, { predictions: { predictions: new Array(number - 1).fill(box) } })),
  );
  assert.deepEqual(
    kept.map(({ time, found }) => [Math.round(time * 100), found.length]),
    [
      [0, 0],
      [4, 1],
      [8, 2],
      [12, 3],
    ],
  );
  assert.deepEqual([findings.frames, findings.framesWithBoxes, findings.width], [4, 3, 320]);
  assert.deepEqual(
    [-1, 0, 0.02, 0.034, 0.039, 0.04, 0.08, 0.12, 0.17, 9].map((time) => findings.frameAt(time)),
    [-1, 0, 0, 0, 1, 1, 2, 3, 3, 3],
  );
  // While there is more to come.
  assert.deepEqual(
    [-1, 0.04, 0.12, 0.15, 0.17, 9].map((time) => findings.frameAt(time, true)),
    [-1, 1, 3, 3, -1, -1],
  );
  assert.deepEqual(
    [0, 1, 2, 3].map((number) => findings.boxCount(number)),
    [0, 1, 2, 3],
  );
  assert.deepEqual(
    [...findings.boxes(1)],
    [{ x: 20, y: 35, w: 20, h: 10, confidence: 0.5, label: 0 }],
  );
  assert.deepEqual([...findings.classes], [['box', 6]]);

  // Without a time, without outputs, with outputs of another kind, from a pipeline of the operator's.
  for (const odd of [
    {},
    { serialized_output_data: null, video_metadata: null },
    frame(9, { a: null, b: '' }),
  ]) {
    assert.deepEqual(findings.add(odd).found, []);
  }
  const said = findings.add(
    frame(10, { transcript: 'hello', image: { type: 'base64', value: '' }, level: 3 }),
  );
  assert.deepEqual(said.found, [{ words: 'transcript: hello' }, { words: 'level: 3' }]);
  const code = findings.add(
    frame(11, { predictions: { predictions: [{ ...box, class: 'EAN-13', text: '40' }] } }),
  );
  assert.equal(code.found[0].words, 'EAN-13 40');

  const lines = (await findings.download().text()).trimEnd().split('\n');
  assert.equal(lines.length, 9);
  assert.equal(JSON.parse(lines[3]).video_metadata.frame_id, 4);
});

test('a server that says anything: what is kept are numbers and short text', () => {
  const findings = new Findings();
  const { found } = findings.add({
    video_metadata: { pts: 0, time_base: 1, width: [], height: 'tall' },
    serialized_output_data: JSON.parse(`{
      "__proto__": { "polluted": true },
      "predictions": {
        "image": { "width": { "valueOf": 1, "toString": 1 }, "height": 2 },
        "predictions": [
          null, 3, "x", [],
          { "class": { "toString": 1 }, "x": { "valueOf": 1, "toString": 1 }, "y": "7" },
          { "class": "__proto__", "x": 1e999, "y": 1, "width": 2, "height": 2 },
          { "class": "${'long '.repeat(1000)}", "x": 1, "y": 1, "width": 2, "height": 2 }
        ]
      }
    }`),
  });
  assert.deepEqual(
    found.slice(0, 6).map(({ words: text }) => text),
    ['something', 'something', 'something', 'something', 'something', '__proto__'],
  );
  assert.equal(found[6].words.length, 300);
  assert.ok(Number.isNaN(found[4].x) && Number.isNaN(found[4].y));
  assert.equal({}.polluted, undefined);
  assert.equal(findings.boxCount(0), 7);

  const many = new Array(1e6).fill({ x: 1, y: 1, width: 1, height: 1, class: 'dot' });
  const crowd = findings.add({
    video_metadata: { pts: 1, time_base: 1 },
    serialized_output_data: { predictions: { predictions: many } },
  });
  assert.equal(crowd.found.length, 5000);
  assert.equal(findings.boxCount(1), 5000);
});
