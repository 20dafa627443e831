// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ICE's connectivity checks (RFC 8445, RFC 8489) as far as somebody needs them who tries a server's sockets.

import { createHmac, randomBytes } from 'node:crypto';

const COOKIE = 0x2112a442;

function attribute(type, value) {
  const padded = Buffer.alloc(Math.ceil(value.length / 4) * 4);
  value.copy(padded);
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, padded]);
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; ++bit) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

// A check that nobody can tell from the real peer's: `remote` and `local` are the two sides' { ufrag, pwd }.
export function bindingRequest(remote, local) {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(0x0001, 0);
  header.writeUInt32BE(COOKIE, 4);
  randomBytes(12).copy(header, 8);
  let body = Buffer.concat([
    attribute(0x0006, Buffer.from(`${remote.ufrag}:${local.ufrag}`)), // USERNAME
    attribute(0x0024, Buffer.from([0x6e, 0xff, 0xff, 0xff])), // PRIORITY
    attribute(0x802a, randomBytes(8)), // ICE-CONTROLLING
    attribute(0x0025, Buffer.alloc(0)), // USE-CANDIDATE
  ]);
  const withLength = (more) => {
    header.writeUInt16BE(body.length + more, 2);
    return Buffer.concat([header, body]);
  };
  const integrity = createHmac('sha1', remote.pwd).update(withLength(24)).digest();
  body = Buffer.concat([body, attribute(0x0008, integrity)]);
  const fingerprint = Buffer.alloc(4);
  fingerprint.writeUInt32BE((crc32(withLength(8)) ^ 0x5354554e) >>> 0);
  body = Buffer.concat([body, attribute(0x8028, fingerprint)]);
  return withLength(0);
}

export const isStun = (message) => message.length >= 20 && message.readUInt32BE(4) === COOKIE;
// Of a check that was good.
export const isSuccess = (message) => isStun(message) && message.readUInt16BE(0) === 0x0101;

export function credentials(sdp) {
  const value = (name) => sdp.match(new RegExp(`^a=${name}:(\\S+)`, 'm'))[1];
  return { ufrag: value('ice-ufrag'), pwd: value('ice-pwd') };
}

export function candidates(sdp) {
  return [...sdp.matchAll(/^a=candidate:\S+ 1 (\S+) \d+ (\S+) (\d+) typ (\S+)/gm)].map(
    ([, transport, address, port, type]) => ({ transport, address, port: Number(port), type }),
  );
}

// An offer of a data channel, as clients write it.
export function offerOf({ ufrag, pwd }, lines = []) {
  return [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${pwd}`,
    `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`,
    'a=setup:actpass',
    'a=mid:0',
    'a=sctp-port:5000',
    ...lines,
    '',
  ].join('\r\n');
}
