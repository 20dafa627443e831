#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# An upload that waits for `bufferedamountlow` waits for ever with one stack on npm, which lets the threshold be set.
#
# W3C WebRTC, section 6.2: when `bufferedAmount` falls to `bufferedAmountLowThreshold` or below it, the channel fires
# that event. Code for browsers stops to read the file while much is buffered and goes on at the event.
#
# Seen with @roamhq/wrtc 0.10.0: bufferedAmount rises above the threshold and falls to 0, all messages arrive, and the
# event never comes, neither to the handler attribute nor to a listener. The threshold is kept as a plain property that
# the class does not have, so no assignment fails. node-webrtc, which it continues, has an open request for it.
# With node-datachannel 0.33.4, module `node-datachannel/polyfill`, the event comes.
# Expected: the event, or no way to believe that it comes. Until then: ask whether the class has the property.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --ignore-scripts --no-audit --no-fund node-datachannel@0.33.4 @roamhq/wrtc@0.10.0 >>npm.log 2>&1

cat >look.mjs <<'JS'
import * as polyfill from 'node-datachannel/polyfill';
import wrtc from '@roamhq/wrtc';

const soon = () => new Promise((resolve) => setTimeout(resolve, 20));
async function gathered(peer) {
  while (peer.iceGatheringState !== 'complete') await soon();
  return { type: peer.localDescription.type, sdp: peer.localDescription.sdp };
}

async function look(name, { RTCPeerConnection }) {
  const [sender, receiver] = [new RTCPeerConnection({ iceServers: [] }), new RTCPeerConnection({ iceServers: [] })];
  const channel = sender.createDataChannel('film');
  let [arrived, handled, listened] = [0, 0, 0];
  receiver.ondatachannel = ({ channel: remote }) => { remote.onmessage = () => arrived++; };
  const opened = new Promise((resolve) => { channel.onopen = resolve; });
  await sender.setLocalDescription(await sender.createOffer());
  await receiver.setRemoteDescription(await gathered(sender));
  await receiver.setLocalDescription(await receiver.createAnswer());
  await sender.setRemoteDescription(await gathered(receiver));
  await opened;
  const known = 'bufferedAmountLowThreshold' in channel;
  channel.bufferedAmountLowThreshold = 65536;
  channel.onbufferedamountlow = () => handled++;
  channel.addEventListener('bufferedamountlow', () => listened++);
  for (let i = 0; i < 640; i++) channel.send(new Uint8Array(16384));
  const above = channel.bufferedAmount > channel.bufferedAmountLowThreshold;
  while (arrived < 640 || channel.bufferedAmount > 0) await soon();
  await soon();
  const events = `handler ${handled > 0}, listener ${listened > 0}`;
  console.log(`${name}: has the threshold ${known}; buffered above it ${above}, then ${channel.bufferedAmount}; ${events}`);
}

await look('polyfill', polyfill);
await look('wrtc', wrtc);
process.exit(0);
JS
cat >expected <<'TEXT'
polyfill: has the threshold true; buffered above it true, then 0; handler true, listener true
wrtc: has the threshold false; buffered above it true, then 0; handler false, listener false
TEXT
timeout 90 node look.mjs >seen
cat seen
diff expected seen
