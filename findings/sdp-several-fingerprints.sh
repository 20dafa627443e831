#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Three SDP libraries on npm keep one certificate fingerprint of several, the last, whichever hash that is.
#
# RFC 8122, section 5.1: an endpoint may give several `a=fingerprint` lines, for more than one hash function or more than
# one certificate, and the other side chooses. Behind a server that rewrites an offer by these libraries, a peer that
# needs one of the other lines does not connect.
#
# Seen with @webex/ts-sdp 1.8.2: parse() and toString() keep the last line only.
# Seen with semantic-sdp 3.31.1: SDPInfo.parse() keeps the last one only; its model has a place for one.
# Seen with sdp-transform 3.0.0: parse() and write() keep the last one only; what is dropped is not in `invalid`.
# With sdp 3.2.0 (SDPUtils.getDtlsParameters) all are kept.
# Expected: all lines, or the strongest hash.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --ignore-scripts --no-audit --no-fund @webex/ts-sdp@1.8.2 semantic-sdp@3.31.1 sdp@3.2.0 sdp-transform@3.0.0 \
  >>npm.log 2>&1

cat >look.mjs <<'JS'
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const [webex, { SDPInfo }, utils] = ['@webex/ts-sdp', 'semantic-sdp', 'sdp'].map((name) => require(name));
const transform = require('sdp-transform');

const lines = { 'sha-256': `sha-256 ${Array(32).fill('AB').join(':')}`, 'sha-1': `sha-1 ${Array(20).fill('CD').join(':')}` };
const hashesIn = (text) => [...text.matchAll(/a=fingerprint:(\S+)/g)].map(([, hash]) => hash).join(' ');
for (const order of [['sha-256', 'sha-1'], ['sha-1', 'sha-256']]) {
  const offer = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel', 'c=IN IP4 0.0.0.0', 'a=mid:0', 'a=ice-ufrag:user',
    'a=ice-pwd:passwordpasswordpassword', ...order.map((hash) => `a=fingerprint:${lines[hash]}`), 'a=setup:actpass',
    'a=sctp-port:5000', 'a=max-message-size:262144', ''].join('\r\n');
  const told = {
    'ts-sdp': hashesIn(webex.parse(offer).toString()),
    'semantic-sdp': SDPInfo.parse(offer).getDTLS().getHash(),
    sdp: utils.getDtlsParameters(offer, '').fingerprints.map(({ algorithm }) => algorithm).join(' '),
    'sdp-transform': hashesIn(transform.write(transform.parse(offer))),
  };
  console.log(`${order.join(' ')}: ${Object.entries(told).map(([name, hashes]) => `${name} ${hashes}`).join(', ')}`);
}
JS
cat >expected <<'TEXT'
sha-256 sha-1: ts-sdp sha-1, semantic-sdp sha-1, sdp sha-256 sha-1, sdp-transform sha-1
sha-1 sha-256: ts-sdp sha-256, semantic-sdp sha-256, sdp sha-1 sha-256, sdp-transform sha-256
TEXT
node look.mjs >seen
cat seen
diff expected seen
