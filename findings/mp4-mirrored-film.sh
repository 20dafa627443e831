#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Three tools tell a rotation for a mirrored MP4 film that turns its picture upside down, or hides that it is mirrored.
#
# ISO/IEC 14496-12 gives the track (section 8.3.2) and the movie (section 8.2.2) a matrix each, and the picture is shown
# through both. An app that mirrors a front camera can write that into the matrix and leave the frames as they are. No
# rotation does what a mirror does; whoever turns the frames by the told number shows something else than a player.
#
# Seen with MediaInfo (mediainfo.js 0.3.8), ffprobe (@ffprobe-installer/linux-x64 5.2.0) and ExifTool
# (exiftool-vendored.pl 13.59.3): left and right swapped is told as 180 degrees, top and bottom swapped as none.
# MediaInfo and ExifTool read the track's matrix only: a film turned by the movie's matrix is told as not turned.
# mediabunny 1.61.0 counts both and tells a clockwise rotation and whether the picture is mirrored.
# Expected: a mirror is told, or no rotation is; both matrices count. (Needs perl, for ExifTool.)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --ignore-scripts --no-audit --no-fund mediabunny@1.61.0 mediainfo.js@0.3.8 \
  @ffprobe-installer/linux-x64@5.2.0 exiftool-vendored.pl@13.59.3 >>npm.log 2>&1
install node_modules/@ffprobe-installer/linux-x64/ffprobe ffprobe

cat >look.mjs <<'JS'
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import * as bunny from 'mediabunny';
import mediaInfoFactory from 'mediainfo.js';

const output = new bunny.Output({ format: new bunny.Mp4OutputFormat(), target: new bunny.BufferTarget() });
const source = new bunny.EncodedVideoPacketSource('vp9');
output.addVideoTrack(source, { frameRate: 25 });
await output.start();
const frame = new bunny.EncodedPacket(new Uint8Array(64), 'key', 0, 1);
await source.add(frame, { decoderConfig: { codec: 'vp09.00.10.08', codedWidth: 64, codedHeight: 48 } });
await output.finalize();

const mediaInfo = await mediaInfoFactory({ format: 'object' });
const json = (...command) => JSON.parse(execFileSync(...command));
async function look(name, box, [a, b, c, d, x, y]) {
  const film = Buffer.from(new Uint8Array(output.target.buffer));
  const matrix = film.indexOf(box) + { tkhd: 44, mvhd: 40 }[box];
  [a, b, 0, c, d, 0, x, y].forEach((value, i) => film.writeInt32BE(value * 0x10000, matrix + 4 * i));
  writeFileSync('film.mp4', film);
  const { media } = await mediaInfo.analyzeData(film.length, (size, offset) => film.subarray(offset, offset + size));
  const { streams } = json('./ffprobe', ['-v', 'quiet', '-of', 'json', '-show_streams', 'film.mp4']);
  const probed = streams[0].side_data_list[0].rotation;
  const [exif] = json('perl', ['node_modules/exiftool-vendored.pl/bin/exiftool', '-json', '-Rotation', 'film.mp4']);
  const input = new bunny.Input({ source: new bunny.BufferSource(film), formats: bunny.ALL_FORMATS });
  const track = await input.getPrimaryVideoTrack();
  const shown = `${await track.getRotation()}${(await track.getFlip()) ? ' mirrored' : ''}`;
  const told = Number(media.track.find((each) => each['@type'] === 'Video').Rotation);
  console.log(`${name}: mediabunny ${shown}, MediaInfo ${told}, ffprobe ${probed}, ExifTool ${exif.Rotation}`);
}

await look('turned right', 'tkhd', [0, 1, -1, 0, 48, 0]);
await look('left and right swapped', 'tkhd', [-1, 0, 0, 1, 64, 0]);
await look('top and bottom swapped', 'tkhd', [1, 0, 0, -1, 0, 48]);
await look('turned right by the movie', 'mvhd', [0, 1, -1, 0, 48, 0]);
JS
cat >expected <<'TEXT'
turned right: mediabunny 90, MediaInfo 90, ffprobe -90, ExifTool 90
left and right swapped: mediabunny 0 mirrored, MediaInfo 180, ffprobe -180, ExifTool 180
top and bottom swapped: mediabunny 180 mirrored, MediaInfo 0, ffprobe 0, ExifTool 0
turned right by the movie: mediabunny 90, MediaInfo 0, ffprobe -90, ExifTool 0
TEXT
node look.mjs >seen
cat seen
diff expected seen
