#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A TURN user name with a colon reaches the TURN server cut off, so that the server cannot know the user.
#
# Such names are usual: a server with a shared secret (coturn's `use-auth-secret`) takes names of the form
# "expiry:user" with a password for a limited time. RTCIceServer.username is any string (W3C WebRTC, section 4.2), and
# a TURN request may have a colon in its USERNAME (RFC 8489, section 14.3).
#
# Seen with node-datachannel 0.33.4, module `node-datachannel/polyfill`: the server is sent only what is before the
# colon, and no error is reported. Who escapes the name by encodeURIComponent() for this module sends a wrong name with
# the others: @roamhq/wrtc 0.10.0 and werift 0.24.4 send what they were given.
# Expected: the name that was given.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --ignore-scripts --no-audit --no-fund node-datachannel@0.33.4 @roamhq/wrtc@0.10.0 werift@0.24.4 \
  >>npm.log 2>&1

cat >look.mjs <<'JS'
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import * as polyfill from 'node-datachannel/polyfill';
import wrtc from '@roamhq/wrtc';
import * as werift from 'werift';

// STUN's USERNAME of a TURN Allocate request.
function userOf(request) {
  const size = (at) => request.readUInt16BE(at + 2);
  for (let at = 20; at < request.length; at += 4 + Math.ceil(size(at) / 4) * 4)
    if (request.readUInt16BE(at) === 6) return request.toString('utf8', at + 4, at + 4 + size(at));
}

// As a TURN server does: it answers a request without a name by 401, a realm and a nonce. The client then sends one.
const refusal = Buffer.from('000900040000040100140005' + '6c6f63616c000000' + '00150004' + '6f6e6365', 'hex');
async function nameSeen({ RTCPeerConnection }, username) {
  const server = createSocket('udp4').bind(0, '127.0.0.1');
  await once(server, 'listening');
  const seen = new Promise((resolve) => server.on('message', (request, { port, address }) => {
    if (request.readUInt16BE(0) !== 0x0003) return;
    if (userOf(request) !== undefined) resolve(userOf(request));
    server.send([Buffer.from([1, 0x13, 0, refusal.length]), request.subarray(4, 20), refusal], port, address);
  }));
  const urls = `turn:127.0.0.1:${server.address().port}?transport=udp`;
  const peer = new RTCPeerConnection({ iceServers: [{ urls, username, credential: 'secret' }] });
  peer.createDataChannel('film');
  await peer.setLocalDescription(await peer.createOffer());
  return seen;
}

const given = ['1767225600:user', '1767225600%3Auser'];
for (const [name, stack] of Object.entries({ polyfill, wrtc, werift }))
  for (const username of given) console.log(`${name}: ${username} -> ${await nameSeen(stack, username)}`);
process.exit(0);
JS
cat >expected <<'TEXT'
polyfill: 1767225600:user -> 1767225600
polyfill: 1767225600%3Auser -> 1767225600:user
wrtc: 1767225600:user -> 1767225600:user
wrtc: 1767225600%3Auser -> 1767225600%3Auser
werift: 1767225600:user -> 1767225600:user
werift: 1767225600%3Auser -> 1767225600%3Auser
TEXT
timeout 90 node look.mjs >seen
cat seen
diff expected seen
