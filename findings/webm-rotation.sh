#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A WebM film that is to be shown turned is told as not turned by three readers, which tell it for the same film as MP4.
#
# RFC 9559, section 5.1.4.1.28.46: ProjectionPoseRoll turns the picture, counter-clockwise, and Projection's type 0 is an
# ordinary flat picture. ffmpeg and mediabunny write it when they put a phone's upright film into WebM or Matroska, and by
# public reports Chrome's MediaRecorder does on a turned tablet.
#
# Seen with MediaInfo (mediainfo.js 0.3.8), ExifTool (exiftool-vendored.pl 13.59.3) and @remotion/media-parser 4.0.529:
# no rotation for the WebM, and remotion's `dimensions` are those of a film that lies on its side.
# ffprobe (@ffprobe-installer/linux-x64 5.2.0) tells the rotation of both, counter-clockwise; the others tell it clockwise.
# Expected: the same from both containers. (Needs perl, for ExifTool.)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --ignore-scripts --no-audit --no-fund mediabunny@1.61.0 mediainfo.js@0.3.8 @remotion/media-parser@4.0.529 \
  @ffprobe-installer/linux-x64@5.2.0 exiftool-vendored.pl@13.59.3 >>npm.log 2>&1
install node_modules/@ffprobe-installer/linux-x64/ffprobe ffprobe

cat >look.mjs <<'JS'
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseMedia } from '@remotion/media-parser';
import { nodeReader } from '@remotion/media-parser/node';
import * as bunny from 'mediabunny';
import mediaInfoFactory from 'mediainfo.js';

// The readers look at the container only. Remotion does not read VP9 in WebM as mediabunny writes it.
async function film(format, source, codec) {
  const output = new bunny.Output({ format, target: new bunny.BufferTarget() });
  output.addVideoTrack(source, { frameRate: 25, rotation: 90 });
  await output.start();
  const meta = { decoderConfig: { codec, codedWidth: 64, codedHeight: 48 } };
  for (let i = 0; i < 5; i++) await source.add(new bunny.EncodedPacket(new Uint8Array(64), 'key', i / 25, 1 / 25), meta);
  await output.finalize();
  return Buffer.from(output.target.buffer);
}

const mediaInfo = await mediaInfoFactory({ format: 'object' });
const json = (...command) => JSON.parse(execFileSync(...command));
const films = [[new bunny.Mp4OutputFormat(), 'vp9', 'vp09.00.10.08'], [new bunny.WebMOutputFormat(), 'vp8', 'vp8']];
for (const [format, kind, codec] of films) {
  const bytes = await film(format, new bunny.EncodedVideoPacketSource(kind), codec);
  writeFileSync('film', bytes);
  const { media } = await mediaInfo.analyzeData(bytes.length, (size, offset) => bytes.subarray(offset, offset + size));
  const { streams } = json('./ffprobe', ['-v', 'quiet', '-of', 'json', '-show_streams', 'film']);
  const [exif] = json('perl', ['node_modules/exiftool-vendored.pl/bin/exiftool', '-json', '-Rotation', 'film']);
  const fields = { rotation: true, dimensions: true };
  const remotion = await parseMedia({ src: 'film', reader: nodeReader, fields, logLevel: 'error' });
  const told = {
    MediaInfo: Number(media.track.find((each) => each['@type'] === 'Video').Rotation ?? 0),
    ExifTool: exif.Rotation ?? 'none',
    remotion: `${remotion.rotation} (${remotion.dimensions.width}x${remotion.dimensions.height})`,
    ffprobe: streams[0].side_data_list?.[0].rotation ?? 'none',
  };
  console.log(`${format.mimeType}: ${Object.entries(told).map((each) => each.join(' ')).join(', ')}`);
}
JS
cat >expected <<'TEXT'
video/mp4: MediaInfo 90, ExifTool 90, remotion 90 (48x64), ffprobe -90
video/webm: MediaInfo 0, ExifTool none, remotion 0 (64x48), ffprobe -90
TEXT
node look.mjs >seen
cat seen
diff expected seen
