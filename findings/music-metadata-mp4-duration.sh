#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# music-metadata takes the duration of an MP4 film's sound for the film's, and tells none for a film without sound.
#
# ISO/IEC 14496-12, section 8.2.2: the movie header holds the presentation's duration, that of the longest track. A
# screen recording often has no sound, and a camera's microphone may start later or end earlier than the picture.
#
# Seen with music-metadata 12.1.0: `format.duration` is undefined for an MP4 film without sound, with `hasVideo: true`
# and no warning. With sound for a part of the film it is that part. The same films as WebM have the right duration.
# Expected: the film's duration in both containers.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --ignore-scripts --no-audit --no-fund mediabunny@1.61.0 music-metadata@12.1.0 >>npm.log 2>&1

cat >look.mjs <<'JS'
import * as bunny from 'mediabunny';
import { parseBuffer } from 'music-metadata';

// Pictures for ten seconds and sound from the second `from` to the second `to`. The reader looks at the container only.
async function film(format, from, to) {
  const output = new bunny.Output({ format, target: new bunny.BufferTarget() });
  const video = new bunny.EncodedVideoPacketSource('vp9');
  const audio = new bunny.EncodedAudioPacketSource('opus');
  output.addVideoTrack(video, { frameRate: 1 });
  if (to > from) output.addAudioTrack(audio);
  await output.start();
  const frame = new Uint8Array(64);
  const meta = { decoderConfig: { codec: 'vp09.00.10.08', codedWidth: 64, codedHeight: 48 } };
  for (let i = 0; i < 10; i++) await video.add(new bunny.EncodedPacket(frame, 'key', i, 1), meta);
  video.close();
  const sound = { decoderConfig: { codec: 'opus', numberOfChannels: 1, sampleRate: 48000 } };
  for (let i = from; i < to; i++) await audio.add(new bunny.EncodedPacket(frame, 'key', i, 1), sound);
  await output.finalize();
  return new Uint8Array(output.target.buffer);
}

for (const [from, to] of [[0, 10], [0, 4], [6, 10], [0, 0]]) {
  const seen = [];
  for (const format of [new bunny.WebMOutputFormat(), new bunny.Mp4OutputFormat()]) {
    const { format: told, quality } = await parseBuffer(await film(format, from, to), { mimeType: format.mimeType });
    seen.push(`${format.mimeType} ${told.duration} (video ${told.hasVideo}, ${quality.warnings.length} warnings)`);
  }
  console.log(`sound ${from} to ${to}: ${seen.join(', ')}`);
}
JS
cat >expected <<'TEXT'
sound 0 to 10: video/webm 10 (video true, 0 warnings), video/mp4 10 (video true, 0 warnings)
sound 0 to 4: video/webm 10 (video true, 0 warnings), video/mp4 4 (video true, 0 warnings)
sound 6 to 10: video/webm 10 (video true, 0 warnings), video/mp4 4 (video true, 0 warnings)
sound 0 to 0: video/webm 10 (video true, 0 warnings), video/mp4 undefined (video true, 0 warnings)
TEXT
node look.mjs >seen
cat seen
diff expected seen
