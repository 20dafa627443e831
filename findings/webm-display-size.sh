#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A WebM film that names its aspect ratio, or hides an edge of its frames, has another size for each reader.
#
# RFC 9559, section 5.1.4.1.28.14: DisplayUnit 3 makes DisplayWidth and DisplayHeight an aspect ratio, not pixels. Sections
# 5.1.4.1.28.8 to 5.1.4.1.28.11: PixelCrop says how many pixels are removed at each side when the film is shown. A server
# that checks a limit or makes a preview of that size uses them.
#
# Seen for frames of 64x48 with the ratio 16:9: @remotion/media-parser 4.0.529 tells `dimensions` of 16x9 pixels.
# music-metadata 12.1.0 tells a displayWidth and displayHeight of 16 and 9, and not their unit. mediabunny 1.61.0,
# MediaInfo (mediainfo.js 0.3.8) and ffprobe (@ffprobe-installer/linux-x64 5.2.0) count the ratio.
# Seen for frames of 64x48 with 8 rows hidden at the top and the bottom: only MediaInfo counts them.
# Expected: 85x48 (or 64x48 with the ratio), and 64x32.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --ignore-scripts --no-audit --no-fund @remotion/media-parser@4.0.529 music-metadata@12.1.0 mediabunny@1.61.0 \
  mediainfo.js@0.3.8 @ffprobe-installer/linux-x64@5.2.0 >>npm.log 2>&1
install node_modules/@ffprobe-installer/linux-x64/ffprobe ffprobe

cat >look.mjs <<'JS'
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
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

// Two key frames of VP8. The readers look at the container only.
function filmWith(...shown) {
  const head = element('1a45dfa3', element('4286', '01'), element('42f7', '01'), element('42f2', '04'),
    element('42f3', '08'), text('4282', 'webm'), element('4287', '04'), element('4285', '02'));
  const info = element('1549a966', element('2ad7b1', '0f4240'), text('4d80', 'test'), text('5741', 'test'));
  const picture = element('e0', element('b0', '40'), element('ba', '30'), ...shown);
  const track = element('ae', element('d7', '01'), element('73c5', '01'), element('83', '01'), text('86', 'V_VP8'), picture);
  const blocks = ['0000', '0028'].map((time) => element('a3', `81${time}80`, '1002009d012a400030000000'));
  const cluster = element('1f43b675', element('e7', '00'), ...blocks);
  return Buffer.concat([head, element('18538067', info, element('1654ae6b', track), cluster)]);
}

const mediaInfo = await mediaInfoFactory({ format: 'object' });
async function look(name, film) {
  writeFileSync('film.webm', film);
  const input = new bunny.Input({ source: new bunny.BufferSource(film), formats: bunny.ALL_FORMATS });
  const track = await input.getPrimaryVideoTrack();
  const { dimensions } = await parseMedia({ src: 'film.webm', reader: nodeReader, fields: { dimensions: true },
    logLevel: 'error' });
  const { video } = (await parseBuffer(film, { mimeType: 'video/webm' })).format.trackInfo[0];
  const { media } = await mediaInfo.analyzeData(film.length, (size, offset) => film.subarray(offset, offset + size));
  const told = media.track.find((each) => each['@type'] === 'Video');
  const command = ['-v', 'quiet', '-of', 'json', '-show_streams', 'film.webm'];
  const [stream] = JSON.parse(execFileSync('./ffprobe', command)).streams;
  const size = (width, height) => `${width ?? 'none'}x${height ?? 'none'}`;
  console.log(`${name}: remotion ${size(dimensions.width, dimensions.height)}`);
  const shown = size(video.displayWidth, video.displayHeight);
  console.log(`  music-metadata ${size(video.pixelWidth, video.pixelHeight)} display ${shown}`);
  console.log(`  mediabunny ${size(await track.getDisplayWidth(), await track.getDisplayHeight())}`);
  console.log(`  MediaInfo ${size(told.Width, told.Height)} ratio ${told.DisplayAspectRatio}`);
  console.log(`  ffprobe ${size(stream.width, stream.height)} ratio ${stream.display_aspect_ratio}`);
}

await look('ratio 16:9', filmWith(element('54b0', '10'), element('54ba', '09'), element('54b2', '03')));
await look('8 rows hidden twice', filmWith(element('54bb', '08'), element('54aa', '08')));
JS
cat >expected <<'TEXT'
ratio 16:9: remotion 16x9
  music-metadata 64x48 display 16x9
  mediabunny 85x48
  MediaInfo 64x48 ratio 1.778
  ffprobe 64x48 ratio 16:9
8 rows hidden twice: remotion 64x48
  music-metadata 64x48 display nonexnone
  mediabunny 64x48
  MediaInfo 64x32 ratio 2
  ffprobe 64x48 ratio 4:3
TEXT
node look.mjs >seen
cat seen
diff expected seen
