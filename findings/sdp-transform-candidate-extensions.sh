#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sdp-transform loses what a browser's ICE candidate says behind its `ufrag`.
#
# RFC 8839, section 5.1: a candidate ends with any number of extensions, each a name and a value, in any order. Chromium
# writes `generation`, `ufrag`, `network-id` and `network-cost` in this order into RTCIceCandidate.candidate.
#
# Seen with sdp-transform 3.0.0: parse() and parse-then-write keep `generation` and drop the other three. Without
# `ufrag` the `network-id` and `network-cost` survive. What is dropped is not in `invalid` either, where the
# library keeps lines that it does not know.
# Expected: all extensions are kept, or what is lost is told.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --ignore-scripts --no-audit --no-fund sdp-transform@3.0.0 >>npm.log 2>&1

cat >look.mjs <<'JS'
import { parse, write } from 'sdp-transform';

const head = 'v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n';
const address = 'a=candidate:842163049 1 udp 1677729535 203.0.113.5 46154 typ host ';
for (const extensions of ['generation 0 network-id 1 network-cost 50', 'generation 0 ufrag sXP5 network-id 1 network-cost 50']) {
  const parsed = parse(`${head}${address}${extensions}\r\n`);
  const written = write(parsed).split('\r\n').find((line) => line.startsWith('a=candidate'));
  console.log(`${extensions} -> ${written.slice(address.length)}; invalid: ${parsed.media[0].invalid ?? 'none'}`);
}
JS
cat >expected <<'TEXT'
generation 0 network-id 1 network-cost 50 -> generation 0 network-id 1 network-cost 50; invalid: none
generation 0 ufrag sXP5 network-id 1 network-cost 50 -> generation 0; invalid: none
TEXT
node look.mjs >seen
cat seen
diff expected seen
