#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A sender that closes its data channel after the last send() loses the end of the file, or all of it.
#
# W3C WebRTC, section 6.2 (closing procedure): the messages that are pending at close() are sent first. RFC 8831,
# section 6.7, closes by a reset of the stream, and RFC 8832 leaves a reliable channel reliable until then. Neither side
# is told of a loss: both get the event `close`, as after a whole file.
#
# Seen with werift 0.24.4: of 4 MiB no message arrives. Seen with @roamhq/wrtc 0.10.0: a part arrives, how much differs
# from run to run. With node-datachannel 0.33.4, module `node-datachannel/polyfill`, all arrive.
# A public report to node-datachannel says that of Chrome too, whose code wrtc is built from.
# Expected: all messages arrive before the receiver's `close`. Who uploads waits for an answer before close().
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

async function look(name, { RTCPeerConnection }) {
  const [sender, receiver] = [new RTCPeerConnection({ iceServers: [] }), new RTCPeerConnection({ iceServers: [] })];
  const channel = sender.createDataChannel('film');
  let arrived = 0;
  const opened = new Promise((resolve) => { channel.onopen = resolve; });
  const closed = new Promise((resolve) => {
    receiver.ondatachannel = ({ channel: remote }) => {
      remote.onmessage = () => arrived++;
      remote.onclose = resolve;
    };
  });
  await sender.setLocalDescription(await sender.createOffer());
  await receiver.setRemoteDescription(await gathered(sender));
  await receiver.setLocalDescription(await receiver.createAnswer());
  await sender.setRemoteDescription(await gathered(receiver));
  await opened;
  const chunk = new Uint8Array(16384);
  for (let i = 0; i < 256; i++) channel.send(chunk);
  channel.close();
  await closed;
  console.log(`${name}: ${{ 0: 'none', 256: 'all' }[arrived] ?? 'a part'} of 256 messages, then close`);
}

await look('polyfill', polyfill);
await look('wrtc', wrtc);
await look('werift', werift);
process.exit(0);
JS
cat >expected <<'TEXT'
polyfill: all of 256 messages, then close
wrtc: a part of 256 messages, then close
werift: none of 256 messages, then close
TEXT
timeout 60 node look.mjs >seen
cat seen
diff expected seen
