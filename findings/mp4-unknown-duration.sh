#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Three readers of MP4 tell 13 hours 15 minutes 22 seconds for any film that says that its duration is not known.
#
# ISO/IEC 14496-12, sections 8.2.2, 8.3.2 and 8.4.2: a duration that cannot be determined is written as all ones. Who
# makes fragments of a live stream does so, as mux.js, which writes the film here with its timescale of 90000. Read as a
# number that is 2^32 - 1 ticks, whatever the film's length. The fragments say what the length is.
#
# Seen with mp4box 2.4.1 (`duration`; its `fragment_duration` is right), @remotion/media-parser 4.0.529 (both of its
# durations) and ExifTool (exiftool-vendored.pl 13.59.3): that number. With mediabunny 1.61.0 and MediaInfo
# (mediainfo.js 0.3.8): the film's length.
# Expected: the length of the fragments, or that it is not known. (Needs perl, for ExifTool.)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --ignore-scripts --no-audit --no-fund mux.js@7.1.0 mp4box@2.4.1 @remotion/media-parser@4.0.529 \
  exiftool-vendored.pl@13.59.3 mediabunny@1.61.0 mediainfo.js@0.3.8 >>npm.log 2>&1

cat >look.mjs <<'JS'
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseMedia } from '@remotion/media-parser';
import { nodeReader } from '@remotion/media-parser/node';
import { ALL_FORMATS, BufferSource, Input } from 'mediabunny';
import mediaInfoFactory from 'mediainfo.js';
import { createFile } from 'mp4box';
import mux from 'mux.js';

// A film of so many seconds, in one fragment with a frame a second. The readers look at the container only.
function filmOf(seconds) {
  const flags = { isLeading: 0, dependsOn: 2, isDependedOn: 0, hasRedundancy: 0, degradationPriority: 0 };
  const frame = Buffer.from('000000040cffff80', 'hex');
  const samples = Array(seconds).fill({ size: frame.length, duration: 90000, compositionTimeOffset: 0, flags });
  const sets = { sps: [Buffer.from('6742c00ad90440d80880', 'hex')], pps: [Buffer.from('68cb83cb20', 'hex')] };
  const track = { id: 1, type: 'video', timescale: 90000, baseMediaDecodeTime: 0, samples, ...sets,
    width: 64, height: 48, profileIdc: 66, profileCompatibility: 192, levelIdc: 10, sarRatio: [1, 1] };
  const { initSegment, moof, mdat } = mux.mp4.generator;
  return Buffer.concat([initSegment([track]), moof(1, [track]), mdat(Buffer.concat(Array(seconds).fill(frame)))]);
}

const mediaInfo = await mediaInfoFactory({ format: 'object' });
for (const seconds of [10, 20]) {
  const [film, read] = [filmOf(seconds), {}];
  writeFileSync('film.mp4', film);
  read.mediabunny = await new Input({ source: new BufferSource(film), formats: ALL_FORMATS }).computeDuration();
  const { media } = await mediaInfo.analyzeData(film.length, (size, offset) => film.subarray(offset, offset + size));
  read.MediaInfo = media.track[0].Duration;
  const file = createFile();
  file.onReady = ({ duration, timescale, fragment_duration: fragments }) => {
    read.mp4box = `${Math.round(duration / timescale)} (fragments ${fragments.num / fragments.den})`;
  };
  file.appendBuffer(Object.assign(new Uint8Array(film).buffer, { fileStart: 0 }));
  const fields = { durationInSeconds: true, slowDurationInSeconds: true };
  const remotion = await parseMedia({ src: 'film.mp4', reader: nodeReader, fields, logLevel: 'error' });
  read.remotion = `${Math.round(remotion.durationInSeconds)} (slow ${Math.round(remotion.slowDurationInSeconds)})`;
  const exifTool = ['node_modules/exiftool-vendored.pl/bin/exiftool', '-s3', '-Duration', 'film.mp4'];
  read.ExifTool = execFileSync('perl', exifTool).toString().trim();
  console.log(`${seconds} s: ${Object.entries(read).map((each) => each.join(' ')).join(', ')}`);
}
JS
cat >expected <<'TEXT'
10 s: mediabunny 10, MediaInfo 10, mp4box 47722 (fragments 10), remotion 47722 (slow 47722), ExifTool 13:15:22
20 s: mediabunny 20, MediaInfo 20, mp4box 47722 (fragments 20), remotion 47722 (slow 47722), ExifTool 13:15:22
TEXT
node look.mjs >seen
cat seen
diff expected seen
