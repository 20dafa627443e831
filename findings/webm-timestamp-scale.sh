#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Three tools count a WebM film's time in milliseconds, although the file says which unit it counts in.
#
# RFC 9559, section 5.1.2.9: TimestampScale is the unit of all timestamps and of Duration, in nanoseconds. Section
# 5.1.2.10: Duration counts in that unit. A finer unit than the default of a millisecond keeps a frame rate or sound exact;
# mkvmerge chooses one for files with sound only. Here a film of 2 seconds has a unit of 0.1 ms.
#
# Seen with @remotion/media-parser 4.0.529: 200 seconds (it uses the unit for the frames, but not for Duration).
# Seen with fix-webm-duration 1.0.6 and @fix-webm-duration/fix 1.0.1, which add the duration that MediaRecorder leaves
# out: they set the unit to 1 ms and leave the timestamps as they are. The film then plays ten times as slowly.
# The last is known in part: a public report to fix-webm-duration says that the new unit broke a film.
# MediaInfo (mediainfo.js 0.3.8), music-metadata 12.1.0 and mediabunny 1.61.0 read 2 seconds (mediabunny to the end of the
# last frame if the film tells no duration).
# Expected: 2 seconds; who adds a duration counts it in the file's unit.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --ignore-scripts --no-audit --no-fund @remotion/media-parser@4.0.529 fix-webm-duration@1.0.6 \
  @fix-webm-duration/fix@1.0.1 mediainfo.js@0.3.8 music-metadata@12.1.0 mediabunny@1.61.0 >>npm.log 2>&1

cat >look.mjs <<'JS'
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseMedia } from '@remotion/media-parser';
import { nodeReader } from '@remotion/media-parser/node';
import * as bunny from 'mediabunny';
import mediaInfoFactory from 'mediainfo.js';
import { parseBuffer } from 'music-metadata';

// An EBML element of less than 16 kB: its ID, its size in two bytes, its content.
const element = (id, ...content) => {
  const body = Buffer.concat(content.map((each) => (typeof each === 'string' ? Buffer.from(each, 'hex') : each)));
  return Buffer.concat([Buffer.from(id, 'hex'), Buffer.from([0x40 | (body.length >> 8), body.length & 255]), body]);
};
const text = (id, value) => element(id, Buffer.from(value));
function double(value) {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}

// 50 key frames of VP8, 25 a second. The readers look at the container only.
function filmOf(unit, told) {
  const ticks = (seconds) => (seconds * 1e9) / unit;
  const head = element('1a45dfa3', element('4286', '01'), element('42f7', '01'), element('42f2', '04'),
    element('42f3', '08'), text('4282', 'webm'), element('4287', '04'), element('4285', '02'));
  const duration = told ? [element('4489', double(ticks(2)))] : [];
  const info = element('1549a966', element('2ad7b1', unit.toString(16).padStart(6, '0')), ...duration,
    text('4d80', 'test'), text('5741', 'test'));
  const picture = element('e0', element('b0', '40'), element('ba', '30'));
  const track = element('ae', element('d7', '01'), element('73c5', '01'), element('83', '01'), text('86', 'V_VP8'), picture);
  const blocks = [...Array(50).keys()].map((i) => {
    const time = ticks(i / 25).toString(16).padStart(4, '0');
    return element('a3', `81${time}80`, '1002009d012a400030000000');
  });
  const cluster = element('1f43b675', element('e7', '00'), ...blocks);
  return Buffer.concat([head, element('18538067', info, element('1654ae6b', track), cluster)]);
}

const lengthOf = async (film) =>
  (await new bunny.Input({ source: new bunny.BufferSource(film), formats: bunny.ALL_FORMATS }).computeDuration());
async function read(film) {
  writeFileSync('film.webm', film);
  const fields = { durationInSeconds: true };
  const remotion = await parseMedia({ src: 'film.webm', reader: nodeReader, fields, logLevel: 'error' });
  const mediaInfo = await mediaInfoFactory({ format: 'object' });
  const { media } = await mediaInfo.analyzeData(film.length, (size, offset) => film.subarray(offset, offset + size));
  const { format } = await parseBuffer(film, { mimeType: 'video/webm' });
  return `remotion ${remotion.durationInSeconds}, MediaInfo ${media.track[0].Duration}, music-metadata ${format.duration}`;
}

// What the two that mend a film use of a browser.
globalThis.window = globalThis;
globalThis.FileReader = class {
  readAsArrayBuffer(blob) {
    blob.arrayBuffer().then((buffer) => { this.result = buffer; this.onloadend?.(); });
  }
  addEventListener(name, handler) { this[`on${name}`] = handler; }
};
const require = createRequire(import.meta.url);
async function mended(name, film) {
  const module = require(name);
  const mend = module.fixWebmDuration ?? module;
  const blob = await mend(new Blob([film]), 2000, { logger: false });
  return `${name} ${await lengthOf(Buffer.from(await blob.arrayBuffer()))}`;
}

for (const unit of [1000000, 100000]) {
  console.log(`unit ${unit} ns: ${await read(filmOf(unit, true))}`);
  const film = filmOf(unit, false);
  const after = [await mended('fix-webm-duration', film), await mended('@fix-webm-duration/fix', film)];
  console.log(`  not told: last frame's time ${await lengthOf(film)}, after ${after.join(', after ')}`);
}
JS
cat >expected <<'TEXT'
unit 1000000 ns: remotion 2, MediaInfo 2, music-metadata 2
  not told: last frame's time 1.96, after fix-webm-duration 1.96, after @fix-webm-duration/fix 1.96
unit 100000 ns: remotion 200, MediaInfo 2, music-metadata 2
  not told: last frame's time 1.96, after fix-webm-duration 19.6, after @fix-webm-duration/fix 19.6
TEXT
timeout 60 node look.mjs >seen
cat seen
diff expected seen
