#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# After an empty message werift's ordered data channel delivers nothing more, and send() reports no error.
#
# An empty file, or the empty slice behind a file's last chunk, is such a message. RFC 8831, section 6.6: SCTP carries no
# empty user message, so the sender sends one zero byte with the PPID "WebRTC String Empty" or "WebRTC Binary Empty", and
# the receiver takes the byte away.
#
# Seen with werift 0.24.4 as the sender, whoever receives: the empty message does not arrive, and on an ordered channel
# no later message does. On an unordered channel the later ones arrive. The state stays "open" and bufferedAmount is 0.
# The other way all of it arrives: @roamhq/wrtc 0.10.0 and node-datachannel 0.33.4, module `node-datachannel/polyfill`.
# Expected: an empty message.
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

const stacks = { polyfill, wrtc, werift };
async function gathered(peer) {
  while (peer.iceGatheringState !== 'complete') await new Promise((resolve) => setTimeout(resolve, 20));
  return { type: peer.localDescription.type, sdp: peer.localDescription.sdp };
}

async function look(from, to, ordered, empty) {
  const [sender, receiver] = [from, to].map((name) => new stacks[name].RTCPeerConnection({ iceServers: [] }));
  const [channel, arrived] = [sender.createDataChannel('film', { ordered }), []];
  receiver.ondatachannel = ({ channel: remote }) => {
    remote.binaryType = 'arraybuffer';
    remote.onmessage = ({ data }) => arrived.push(typeof data === 'string' ? `"${data}"` : `${data.byteLength} bytes`);
  };
  const opened = new Promise((resolve) => { channel.onopen = resolve; });
  await sender.setLocalDescription(await sender.createOffer());
  await receiver.setRemoteDescription(await gathered(sender));
  await receiver.setLocalDescription(await receiver.createAnswer());
  await sender.setRemoteDescription(await gathered(receiver));
  await opened;
  for (const message of ['start', empty, 'end']) channel.send(message);
  // Nothing tells that a message will not come. What comes here comes within milliseconds.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const what = `${ordered ? 'ordered' : 'unordered'}, ${typeof empty === 'string' ? 'text' : 'bytes'}`;
  console.log(`${from} to ${to}, ${what}: ${arrived.join(', ')}; ${channel.readyState}, ${channel.bufferedAmount} buffered`);
}

for (const to of ['werift', 'wrtc', 'polyfill']) await look('werift', to, true, '');
await look('werift', 'wrtc', true, new Uint8Array(0));
await look('werift', 'wrtc', false, '');
for (const from of ['wrtc', 'polyfill']) await look(from, 'werift', true, '');
await look('wrtc', 'werift', true, new Uint8Array(0));
process.exit(0);
JS
cat >expected <<'TEXT'
werift to werift, ordered, text: "start"; open, 0 buffered
werift to wrtc, ordered, text: "start"; open, 0 buffered
werift to polyfill, ordered, text: "start"; open, 0 buffered
werift to wrtc, ordered, bytes: "start"; open, 0 buffered
werift to wrtc, unordered, text: "start", "end"; open, 0 buffered
wrtc to werift, ordered, text: "start", "", "end"; open, 0 buffered
polyfill to werift, ordered, text: "start", "", "end"; open, 0 buffered
wrtc to werift, ordered, bytes: "start", 0 bytes, "end"; open, 0 buffered
TEXT
timeout 60 node look.mjs >seen
cat seen
diff expected seen
