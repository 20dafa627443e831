#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A STUN library on npm reads a wrong IPv6 address, its own too, and two call a message of an older peer forged.
#
# RFC 8489, section 14.2: XOR-MAPPED-ADDRESS has an IPv6 address combined with the magic cookie and the transaction ID.
# Section 14: the receiver ignores the value of an attribute's padding. RFC 5389, section 15, let the sender choose it,
# and the examples of RFC 5769 have spaces there. FINGERPRINT and MESSAGE-INTEGRITY count the bytes that were sent.
#
# Seen with @msimerson/stun 3.2.1: decode() combines an IPv6 address with the cookie only, and encode() does it right, so
# that it does not read what it writes. The checks of such a message, which encode it again, fail. IPv4 is right.
# Seen with @msimerson/stun 3.2.1 and stun 2.1.0: both checks of a message with another padding than zero fail.
# werift 0.24.4 (parseMessage) and webrtc-stun 3.0.0 read all of them.
# Expected: the address that the server saw, and true.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --ignore-scripts --no-audit --no-fund @msimerson/stun@3.2.1 stun@2.1.0 webrtc-stun@3.0.0 werift@0.24.4 \
  >>npm.log 2>&1

cat >look.mjs <<'JS'
import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import * as werift from 'werift';

const require = createRequire(import.meta.url);
const [msimerson, stun, webrtcStun] = ['@msimerson/stun', 'stun', 'webrtc-stun'].map((name) => require(name));
const [cookie, transaction, key] = [Buffer.from('2112a442', 'hex'), Buffer.from('0102030405060708090a0b0c', 'hex'), 'secret'];

function uint(size, value) {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(value, 0, size);
  return bytes;
}
const attribute = (type, value, padding = 0) =>
  Buffer.concat([uint(2, type), uint(2, value.length), value, Buffer.alloc((4 - (value.length % 4)) % 4, padding)]);
const header = (size) => Buffer.concat([uint(2, 0x0101), uint(2, size), cookie, transaction]);
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

// A server's answer to a binding request, from the port 5000.
function answer(family, address, padding) {
  const mask = Buffer.concat([cookie, transaction]);
  const hidden = Buffer.from(address, 'hex').map((byte, i) => byte ^ mask[i]);
  const mapped = Buffer.concat([uint(2, family), uint(2, 5000 ^ 0x2112), hidden]);
  const content = Buffer.concat([attribute(0x8022, Buffer.from('server'), padding), attribute(0x20, mapped)]);
  const hash = createHmac('sha1', key).update(Buffer.concat([header(content.length + 24), content])).digest();
  const signed = Buffer.concat([content, attribute(8, hash)]);
  const fingerprint = (crc32(Buffer.concat([header(signed.length + 8), signed])) ^ 0x5354554e) >>> 0;
  return Buffer.concat([header(signed.length + 8), signed, attribute(0x8028, uint(4, fingerprint))]);
}

const addressBy = {
  werift: (bytes) => werift.parseMessage(bytes, Buffer.from(key)).getAttributeValue('XOR-MAPPED-ADDRESS')[0],
  'webrtc-stun': (bytes) => {
    const message = webrtcStun.createBlank();
    message.loadBuffer(bytes);
    return message.getXorMappedAddressAttribute().address;
  },
};
for (const [name, ...parts] of [['IPv4', 1, 'cb007105', 0], ['IPv6', 2, '20010db8000000000000000000000001', 0],
  ['IPv4, padding of spaces', 1, 'cb007105', 0x20]]) {
  const bytes = answer(...parts);
  console.log(`${name}: ${Object.entries(addressBy).map(([by, read]) => `${by} ${read(bytes)}`).join(', ')}`);
  for (const [by, library] of Object.entries({ stun, '@msimerson/stun': msimerson })) {
    const message = library.decode(bytes);
    const checks = [library.validateFingerprint(message), library.validateMessageIntegrity(message, key)];
    console.log(`  ${by}: ${message.getXorAddress().address}, fingerprint ${checks[0]}, integrity ${checks[1]}`);
  }
}
for (const [by, library] of Object.entries({ stun, '@msimerson/stun': msimerson })) {
  const message = library.createMessage(0x0101, transaction);
  message.addXorAddress('2001:db8::1', 5000);
  const bytes = library.encode(message);
  const itself = library.decode(bytes).getXorAddress().address;
  console.log(`2001:db8::1 written by ${by}: webrtc-stun ${addressBy['webrtc-stun'](bytes)}, itself ${itself}`);
}
JS
cat >expected <<'TEXT'
IPv4: werift 203.0.113.5, webrtc-stun 203.0.113.5
  stun: 203.0.113.5, fingerprint true, integrity true
  @msimerson/stun: 203.0.113.5, fingerprint true, integrity true
IPv6: werift 2001:db8::1, webrtc-stun 2001:db8::1
  stun: 2001:db8::1, fingerprint true, integrity true
  @msimerson/stun: 2001:db8:102:304:506:708:90a:b0d, fingerprint false, integrity false
IPv4, padding of spaces: werift 203.0.113.5, webrtc-stun 203.0.113.5
  stun: 203.0.113.5, fingerprint false, integrity false
  @msimerson/stun: 203.0.113.5, fingerprint false, integrity false
2001:db8::1 written by stun: webrtc-stun 2001:db8::1, itself 2001:db8::1
2001:db8::1 written by @msimerson/stun: webrtc-stun 2001:db8::1, itself 2001:db8:102:304:506:708:90a:b0d
TEXT
node look.mjs >seen
cat seen
diff expected seen
