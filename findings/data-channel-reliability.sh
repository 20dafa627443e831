#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A receiver of an unordered data channel is told by two stacks on npm that the channel is ordered.
#
# It matters to whoever takes the order of messages for the order of a file's chunks, or answers on the same channel.
# RFC 8832, section 5.1: the channel type in DATA_CHANNEL_OPEN says whether the channel is ordered, whatever it says of
# retransmissions, and it counts for both directions (RFC 8831, section 6.6). W3C WebRTC, section 6.2: the channel of
# `ondatachannel` has the `ordered` and `maxRetransmits` that were announced; what was not set is null.
#
# Seen with werift 0.24.4 as the sender: with `ordered: false` and maxRetransmits it announces an ordered channel.
# Without maxRetransmits it announces an unordered one.
# Seen with node-datachannel 0.33.4, module `node-datachannel/polyfill`, as the receiver: whatever was announced,
# `ordered` is true and `maxRetransmits` null, as of a reliable channel.
# Seen with @roamhq/wrtc 0.10.0 as the receiver: maxRetransmits that was not set is 65535, which can also be set.
# Expected: what the sender's application asked for.
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

async function told(From, To, options) {
  const [sender, receiver] = [new From({ iceServers: [] }), new To({ iceServers: [] })];
  const opened = new Promise((resolve) => { receiver.ondatachannel = resolve; });
  sender.createDataChannel('film', options);
  await sender.setLocalDescription(await sender.createOffer());
  await receiver.setRemoteDescription(await gathered(sender));
  await receiver.setLocalDescription(await receiver.createAnswer());
  await sender.setRemoteDescription(await gathered(receiver));
  const { channel } = await opened;
  return `ordered ${channel.ordered}, maxRetransmits ${channel.maxRetransmits}`;
}

const stacks = { polyfill, wrtc, werift };
for (const options of [{ ordered: false, maxRetransmits: 3 }, { ordered: false }]) {
  for (const pair of ['wrtc to werift', 'wrtc to wrtc', 'polyfill to wrtc', 'werift to wrtc', 'wrtc to polyfill']) {
    const [from, to] = pair.split(' to ').map((name) => stacks[name].RTCPeerConnection);
    console.log(`${JSON.stringify(options)}, ${pair}: ${await told(from, to, options)}`);
  }
}
process.exit(0);
JS
cat >expected <<'TEXT'
{"ordered":false,"maxRetransmits":3}, wrtc to werift: ordered false, maxRetransmits 3
{"ordered":false,"maxRetransmits":3}, wrtc to wrtc: ordered false, maxRetransmits 3
{"ordered":false,"maxRetransmits":3}, polyfill to wrtc: ordered false, maxRetransmits 3
{"ordered":false,"maxRetransmits":3}, werift to wrtc: ordered true, maxRetransmits 3
{"ordered":false,"maxRetransmits":3}, wrtc to polyfill: ordered true, maxRetransmits null
{"ordered":false}, wrtc to werift: ordered false, maxRetransmits null
{"ordered":false}, wrtc to wrtc: ordered false, maxRetransmits 65535
{"ordered":false}, polyfill to wrtc: ordered false, maxRetransmits 65535
{"ordered":false}, werift to wrtc: ordered false, maxRetransmits 65535
{"ordered":false}, wrtc to polyfill: ordered true, maxRetransmits null
TEXT
timeout 60 node look.mjs >seen
cat seen
diff expected seen
