#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Code that sends a file in a browser sends something else under Node, and send() reports no error.
#
# W3C WebRTC, section 6.2 (send): of an ArrayBufferView the bytes of its part of the buffer are sent, of a Blob its
# bytes, and an ordered channel keeps the order of the calls. An upload uses all: a DataView for the header of a chunk,
# file.slice() for the data, a text for the end.
#
# Seen with node-datachannel 0.33.4, module `node-datachannel/polyfill`: a DataView arrives as a message without bytes.
# A Uint16Array arrives as one byte for each element. Two Blobs and a text arrive as the text and then the Blobs.
# Seen with werift 0.24.4: a Uint16Array arrives in the same way. With @roamhq/wrtc 0.10.0 both views arrive whole.
# Expected: the same bytes in the same order as from a browser, or a TypeError.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --ignore-scripts --no-audit --no-fund node-datachannel@0.33.4 @roamhq/wrtc@0.10.0 werift@0.24.4 \
  >>npm.log 2>&1

cat >look.mjs <<'JS'
import * as polyfill from 'node-datachannel/polyfill';
import wrtc from '@roamhq/wrtc';
import * as werift from 'werift';

async function gathered(peer) {
  while (peer.iceGatheringState !== 'complete') await new Promise((resolve) => setTimeout(resolve, 20));
  return { type: peer.localDescription.type, sdp: peer.localDescription.sdp };
}
async function look(name, { RTCPeerConnection }, what, messages) {
  const [sender, receiver] = [new RTCPeerConnection({ iceServers: [] }), new RTCPeerConnection({ iceServers: [] })];
  const [channel, arrived] = [sender.createDataChannel('film'), []];
  receiver.ondatachannel = ({ channel: remote }) => {
    remote.binaryType = 'arraybuffer';
    remote.onmessage = ({ data }) =>
      arrived.push(typeof data === 'string' ? `text ${data}` : `bytes [${new Uint8Array(data).join(' ')}]`);
  };
  await sender.setLocalDescription(await sender.createOffer());
  await receiver.setRemoteDescription(await gathered(sender));
  await receiver.setLocalDescription(await receiver.createAnswer());
  await sender.setRemoteDescription(await gathered(receiver));
  if (channel.readyState !== 'open') await new Promise((resolve) => { channel.onopen = resolve; });
  for (const message of messages) channel.send(message);
  while (arrived.length < messages.length) await new Promise((resolve) => setTimeout(resolve, 20));
  console.log(`${name}: ${what} -> ${arrived.join(', ')}`);
}

const header = new DataView(Uint8Array.of(1, 2, 3, 4).buffer);
const samples = Uint16Array.of(0x0101, 0x0202);
const film = new Blob([header]);
await look('polyfill', polyfill, 'DataView 1 2 3 4', [header]);
await look('wrtc', wrtc, 'DataView 1 2 3 4', [header]);
await look('polyfill', polyfill, 'Uint16Array 1 1 2 2', [samples]);
await look('wrtc', wrtc, 'Uint16Array 1 1 2 2', [samples]);
await look('werift', werift, 'Uint16Array 1 1 2 2', [samples]);
await look('polyfill', polyfill, 'Blob 1 2, Blob 3 4, text end', [film.slice(0, 2), film.slice(2, 4), 'end']);
process.exit(0);
JS
cat >expected <<'TEXT'
polyfill: DataView 1 2 3 4 -> bytes []
wrtc: DataView 1 2 3 4 -> bytes [1 2 3 4]
polyfill: Uint16Array 1 1 2 2 -> bytes [1 2]
wrtc: Uint16Array 1 1 2 2 -> bytes [1 1 2 2]
werift: Uint16Array 1 1 2 2 -> bytes [1 2]
polyfill: Blob 1 2, Blob 3 4, text end -> text end, bytes [1 2], bytes [3 4]
TEXT
timeout 60 node look.mjs >seen
cat seen
diff expected seen
