// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Wire v2: how a block of the file is framed, and what the server's control messages may say.

import { crc32c } from './crc32c.js';
import { textOf, UploadError } from './errors.js';
import { FRESH_MEMORY } from './wire.js';

export const V2_PROTOCOL = 'webrtcupload.v2';

const BLOCK_HEADER_BYTES = 16;
const BLOCK_TYPE = 1;
// The checksum covers what is behind it.
const CHECKED_FROM = 8;
const MAX_NAME_BYTES = 255;
const MAX_TEXT = 1000;

const nonsense = (what) => new UploadError('bad-answer', `The server said nonsense: ${what}.`);

/**
 * A block as it goes over the wire: `[type u8][flags u8][reserved u16][crc32c u32][offset u64][payload]`, little
 * endian.
 * @param {number} offset in the file
 * @param {Uint8Array} payload
 * @param {{take: (size: number) => Uint8Array}} [memory] for the message
 * @returns {Uint8Array}
 */
export function encodeBlock(offset, payload, memory = FRESH_MEMORY) {
  const message = memory.take(BLOCK_HEADER_BYTES + payload.byteLength);
  const header = new DataView(message.buffer, message.byteOffset);
  header.setUint32(0, BLOCK_TYPE, true); // No flags.
  header.setUint32(8, offset >>> 0, true);
  header.setUint32(12, Math.floor(offset / 2 ** 32), true);
  message.set(payload, BLOCK_HEADER_BYTES);
  header.setUint32(4, crc32c(message.subarray(CHECKED_FROM)), true);
  return message;
}

/** What a person calls the file, and what else is said in words, as the server takes it; null if nothing of that is left. */
export function wireText(text, maxBytes = MAX_NAME_BYTES) {
  // eslint-disable-next-line no-control-regex -- Those are what is not taken.
  let name = String(text ?? '').replace(/[\u0000-\u001f\u007f-\u009f]/g, '');
  // A half of a pair would become another character.
  if (name.isWellFormed && !name.isWellFormed()) name = name.toWellFormed();
  const encoder = new TextEncoder();
  const fits = () => encoder.encode(name).length <= maxBytes;
  // No character has less than a byte.
  const characters = Array.from(name).slice(0, maxBytes);
  for (name = characters.join(''); !fits(); name = characters.join('')) characters.pop();
  return name || null;
}

/** 128 random bits, by which the server knows the upload again before this side knows its id. */
export function newNonce() {
  if (!globalThis.crypto?.getRandomValues) return null; // Old programs; browsers have it.
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

// Fields of each message, and what they have to be.
const isNumber = (value) => Number.isSafeInteger(value) && value >= 0;
const isRanges = (value) =>
  Array.isArray(value) &&
  value.every(
    (range, index) =>
      Array.isArray(range) &&
      range.length === 2 &&
      range.every(isNumber) &&
      range[0] < range[1] &&
      (index === 0 || range[0] > value[index - 1][1]),
  );
const isText = (value) => typeof value === 'string';
const isHash = (value) => isText(value) && /^[0-9a-fA-F]{64}$/.test(value);
const isId = (value) => isText(value) && /^[0-9a-fA-F]{32}$/.test(value);
const isFlag = (value) => typeof value === 'boolean';
const CONTROL_FIELDS = {
  ready: {
    upload: isId,
    have: isRanges,
    credit: isNumber,
    max_payload: isNumber,
    max_connections: (value) => value === undefined || isNumber(value),
    resume_timeout: isNumber,
  },
  ack: { stored: isNumber, received: isNumber, credit: isNumber },
  done: { size: isNumber, sha256: isHash },
  error: { code: isText, message: isText, resumable: isFlag },
};

/**
 * A control message of the server's, checked; null if its type is not known.
 * @param {string} text
 * @returns {object | null}
 * @throws {UploadError} `bad-answer`
 */
export function parseControl(text) {
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    throw nonsense('what is not JSON');
  }
  const type = message?.type;
  if (!isText(type)) throw nonsense('a message without a type');
  if (!Object.hasOwn(CONTROL_FIELDS, type)) return null;
  for (const [name, good] of Object.entries(CONTROL_FIELDS[type])) {
    if (!good(message[name])) throw nonsense(`a wrong "${name}" in "${type}"`);
  }
  if (message.max_payload === 0) throw nonsense('blocks may have no content');
  return message;
}

/** The UploadError that an `error` message means. */
export function errorOf({ code, message, retry_after: retryAfter }) {
  const wait = isNumber(retryAfter) ? { retryAfter } : {};
  const sentence = textOf(message).slice(0, MAX_TEXT);
  return new UploadError(code.slice(0, MAX_TEXT), sentence, { remote: true, ...wait });
}

/** What is not in `have`, from the beginning up to `end`. */
export function missingRanges(have, end) {
  const missing = [];
  let at = 0;
  for (const [first, behind] of have) {
    if (first >= end) break;
    if (first > at) missing.push([at, first]);
    at = behind;
  }
  if (at < end) missing.push([at, end]);
  return missing;
}
