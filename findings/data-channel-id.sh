#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# All channels that one stack on npm creates tell the same id, 65535, which no data channel can have.
#
# W3C WebRTC, section 6.2: RTCDataChannel.id is null until the id is chosen, and then that id; createDataChannel() refuses
# 65535 with a TypeError. RFC 8832, section 6: the DTLS client's channels have even ids, the server's have odd ones. Who
# keeps uploads by channel id, or tells it to the other side, mixes all of them up.
#
# Seen with node-datachannel 0.33.4, module `node-datachannel/polyfill`: 65535 before and after the channel opens. The
# receiver, also of this module, tells the right ids.
# Seen with @roamhq/wrtc 0.10.0 and werift 0.24.4: the right id once open; before, -1 and undefined instead of null.
# Expected: null, then the id.
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

const soon = () => new Promise((resolve) => setTimeout(resolve, 20));
async function gathered(peer) {
  while (peer.iceGatheringState !== 'complete') await soon();
  return { type: peer.localDescription.type, sdp: peer.localDescription.sdp };
}

async function look(name, { RTCPeerConnection }) {
  const [sender, receiver] = [new RTCPeerConnection({ iceServers: [] }), new RTCPeerConnection({ iceServers: [] })];
  const channels = ['first film', 'second film'].map((label) => sender.createDataChannel(label));
  const idsOf = (list) => list.map(({ id }) => String(id)).join(' ');
  const before = idsOf(channels);
  const arrived = [];
  receiver.ondatachannel = ({ channel }) => arrived.push(channel);
  await sender.setLocalDescription(await sender.createOffer());
  await receiver.setRemoteDescription(await gathered(sender));
  await receiver.setLocalDescription(await receiver.createAnswer());
  await sender.setRemoteDescription(await gathered(receiver));
  while (arrived.length < 2 || channels.some(({ readyState }) => readyState !== 'open')) await soon();
  const receivers = idsOf(arrived.sort((a, b) => a.id - b.id));
  console.log(`${name}: before ${before}, open ${idsOf(channels)}, at the receiver ${receivers}`);
}

await look('polyfill', polyfill);
await look('wrtc', wrtc);
await look('werift', werift);
process.exit(0);
JS
cat >expected <<'TEXT'
polyfill: before 65535 65535, open 65535 65535, at the receiver 1 3
wrtc: before -1 -1, open 1 3, at the receiver 1 3
werift: before undefined undefined, open 1 3, at the receiver 1 3
TEXT
timeout 60 node look.mjs >seen
cat seen
diff expected seen
