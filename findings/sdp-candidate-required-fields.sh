#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Two SDP libraries on npm write an ICE candidate back without a field that its grammar requires.
#
# RFC 8839, section 5.1: `raddr` and `rport` MUST be there for a reflexive or relayed candidate, and a browser that hides
# its local addresses writes `raddr 0.0.0.0 rport 0`. RFC 6544, section 4.5: a TCP candidate has a `tcptype`.
#
# Seen with @webex/ts-sdp 1.8.2: `rport 0` is dropped and `raddr` stays, since 0 counts as "not there".
# Seen with semantic-sdp 3.31.1: `tcptype` is neither in the model nor in what it writes.
# Each writes the other's line back whole, and sdp-transform 3.0.0 writes both.
# Expected: the line as it was.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --ignore-scripts --no-audit --no-fund @webex/ts-sdp@1.8.2 semantic-sdp@3.31.1 sdp-transform@3.0.0 \
  >>npm.log 2>&1

cat >look.mjs <<'JS'
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const [webex, { SDPInfo }, transform] = ['@webex/ts-sdp', 'semantic-sdp', 'sdp-transform'].map((name) => require(name));

for (const tail of ['udp 1677729535 203.0.113.5 46154 typ srflx raddr 0.0.0.0 rport 0',
  'tcp 1518280447 203.0.113.5 9 typ host tcptype active']) {
  const offer = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel', 'c=IN IP4 0.0.0.0', 'a=mid:0', 'a=ice-ufrag:user',
    'a=ice-pwd:passwordpasswordpassword', `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`, 'a=setup:actpass',
    `a=candidate:1 1 ${tail}`, 'a=sctp-port:5000', ''].join('\r\n');
  const written = {
    'ts-sdp': webex.parse(offer).toString(),
    'semantic-sdp': SDPInfo.parse(offer).toString(),
    'sdp-transform': transform.write(transform.parse(offer)),
  };
  console.log(tail);
  for (const [name, text] of Object.entries(written))
    console.log(`  ${name}: ${text.match(/a=candidate:1 1 (.*)/)[1].trim()}`);
}
JS
cat >expected <<'TEXT'
udp 1677729535 203.0.113.5 46154 typ srflx raddr 0.0.0.0 rport 0
  ts-sdp: udp 1677729535 203.0.113.5 46154 typ srflx raddr 0.0.0.0
  semantic-sdp: udp 1677729535 203.0.113.5 46154 typ srflx raddr 0.0.0.0 rport 0
  sdp-transform: udp 1677729535 203.0.113.5 46154 typ srflx raddr 0.0.0.0 rport 0
tcp 1518280447 203.0.113.5 9 typ host tcptype active
  ts-sdp: tcp 1518280447 203.0.113.5 9 typ host tcptype active
  semantic-sdp: tcp 1518280447 203.0.113.5 9 typ host
  sdp-transform: tcp 1518280447 203.0.113.5 9 typ host tcptype active
TEXT
node look.mjs >seen
cat seen
diff expected seen
