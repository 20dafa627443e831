#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Three stacks do three things with a message that is greater than the peer takes, and none does what W3C says.
#
# RFC 8841, section 6.1: `a=max-message-size` says how great a message the peer takes. W3C WebRTC, section 6.1: the
# value is in `sctp.maxMessageSize`. Section 6.2 (send): a greater message makes send() throw a TypeError; the channel
# stays open, and the application can send smaller pieces.
#
# The peer here takes 50000 bytes. Seen with @roamhq/wrtc 0.10.0: send() of 50001 returns, and the channel is closed.
# Seen with werift 0.24.4: it says 65536 and sends the message, to wrtc, which delivers it.
# Seen with node-datachannel 0.33.4, module `node-datachannel/polyfill`: an Error that is no TypeError.
# Expected: a TypeError from all, and 50000 from werift.
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

const soon = (time = 20) => new Promise((resolve) => setTimeout(resolve, time));
async function gathered(peer) {
  while (peer.iceGatheringState !== 'complete') await soon();
  return { type: peer.localDescription.type, sdp: peer.localDescription.sdp };
}

async function look(name, { RTCPeerConnection }, size) {
  const [sender, receiver] = [new RTCPeerConnection({ iceServers: [] }), new wrtc.RTCPeerConnection({ iceServers: [] })];
  const [channel, arrived] = [sender.createDataChannel('film'), []];
  receiver.ondatachannel = ({ channel: remote }) => {
    remote.binaryType = 'arraybuffer';
    remote.onmessage = ({ data }) => arrived.push(data.byteLength);
  };
  const opened = new Promise((resolve) => { channel.onopen = resolve; });
  await sender.setLocalDescription(await sender.createOffer());
  await receiver.setRemoteDescription(await gathered(sender));
  await receiver.setLocalDescription(await receiver.createAnswer());
  const { type, sdp } = await gathered(receiver);
  await sender.setRemoteDescription({ type, sdp: sdp.replace(/(a=max-message-size:)\d+/, '$150000') });
  await opened;
  let told = 'send() returns';
  try { channel.send(new Uint8Array(size)); } catch (error) { told = `send() throws ${error.constructor.name}`; }
  await soon(1000);
  const limit = sender.sctp.maxMessageSize;
  console.log(`${name}: ${size} of ${limit}: ${told}, arrived [${arrived}], channel ${channel.readyState}`);
}

for (const [name, stack] of Object.entries({ polyfill, wrtc, werift }))
  for (const size of [50000, 50001]) await look(name, stack, size);
process.exit(0);
JS
cat >expected <<'TEXT'
polyfill: 50000 of 50000: send() returns, arrived [50000], channel open
polyfill: 50001 of 50000: send() throws Error, arrived [], channel open
wrtc: 50000 of 50000: send() returns, arrived [50000], channel open
wrtc: 50001 of 50000: send() returns, arrived [], channel closed
werift: 50000 of 65536: send() returns, arrived [50000], channel open
werift: 50001 of 65536: send() returns, arrived [50001], channel open
TEXT
timeout 60 node look.mjs >seen
cat seen
diff expected seen
