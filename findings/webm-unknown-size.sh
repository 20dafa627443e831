#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Two readers of WebM on npm misread a file whose Segment and Clusters have the size "unknown".
#
# RFC 8794 (EBML), section 6.2, and RFC 9559 (Matroska) allow that size for both elements. Whoever writes a film to a
# stream needs it, since nobody knows the size beforehand: browsers' MediaRecorder writes it, and so do GStreamer's
# `webmmux streamable=true` and mediabunny's `appendOnly: true`, which makes the film here.
#
# Seen with music-metadata 12.1.0: parseBuffer() rejects with an EbmlContentError. The same film with sizes is read.
# Seen with ebml 3.0.0: its events say that the Cluster and the Segment end in the middle of the frames. The frames
# that follow come outside of both.
# Expected: an element of unknown size ends where its parent ends, or where an element comes that cannot be in it.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --ignore-scripts --no-audit --no-fund mediabunny@1.61.0 music-metadata@12.1.0 ebml@3.0.0 >>npm.log 2>&1

cat >look.mjs <<'JS'
import { Output, WebMOutputFormat, BufferTarget, EncodedVideoPacketSource, EncodedPacket } from 'mediabunny';
import { parseBuffer } from 'music-metadata';
import ebml from 'ebml';

// Ten key frames of VP8. The readers here look at the container only.
const frame = new Uint8Array([0x10, 2, 0, 0x9d, 1, 0x2a, 64, 0, 64, 0, 0, 0]);

async function film(appendOnly) {
  const output = new Output({ format: new WebMOutputFormat({ appendOnly }), target: new BufferTarget() });
  const source = new EncodedVideoPacketSource('vp8');
  output.addVideoTrack(source, { frameRate: 25 });
  await output.start();
  const meta = { decoderConfig: { codec: 'vp8', codedWidth: 64, codedHeight: 64 } };
  for (let i = 0; i < 10; i++) await source.add(new EncodedPacket(frame, 'key', i / 25, 1 / 25), meta);
  await output.finalize();
  return new Uint8Array(output.target.buffer);
}

async function duration(bytes) {
  try {
    return (await parseBuffer(bytes, { mimeType: 'video/webm' })).format.duration;
  } catch (error) {
    return error.constructor.name;
  }
}

function framesInCluster(bytes) {
  let inside = false;
  let count = 0;
  const decoder = new ebml.Decoder();
  decoder.on('data', ([what, { name }]) => {
    if (name === 'Cluster') inside = what === 'start';
    if (name === 'SimpleBlock' && inside) count++;
  });
  decoder.write(Buffer.from(bytes));
  decoder.end();
  return count;
}

for (const [name, bytes] of [['sizes known', await film(false)], ['sizes unknown', await film(true)]]) {
  console.log(`${name}: music-metadata ${await duration(bytes)}, ebml ${framesInCluster(bytes)} of 10 frames in the Cluster`);
}
JS
cat >expected <<'TEXT'
sizes known: music-metadata 0.4, ebml 10 of 10 frames in the Cluster
sizes unknown: music-metadata EbmlContentError, ebml 6 of 10 frames in the Cluster
TEXT
node look.mjs >seen
cat seen
diff expected seen
