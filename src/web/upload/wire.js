// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The wire: how a chunk of the file is framed, and how a result is put together out of its messages.

import { bad } from './errors.js';

/** Bytes of the file in each message but the last. What a peer accepts by default is 64 KiB. */
export const CHUNK_BYTES = 49152;
const CHUNK_HEADER_BYTES = 8;
const RESULT_HEADER_BYTES = 12;

// The longest result that is put together, and how many may be incomplete at the same time.
const MAX_RESULT_BYTES = 32 * 1024 * 1024;
const MAX_INCOMPLETE_RESULTS = 8;

/**
 * A chunk as it goes over the wire: `[index u32 LE][total u32 LE][payload]`.
 * @param {number} index
 * @param {number} total
 * @param {Uint8Array} payload
 * @returns {Uint8Array}
 */
export function encodeChunk(index, total, payload) {
  const message = new Uint8Array(CHUNK_HEADER_BYTES + payload.byteLength);
  const header = new DataView(message.buffer);
  header.setUint32(0, index, true);
  header.setUint32(4, total, true);
  message.set(payload, CHUNK_HEADER_BYTES);
  return message;
}

/**
 * Puts results together out of messages `[frame_id][chunk][total][piece]`, in whatever order they
 * come. What it holds is bounded, whatever the server sends.
 */
export class ResultAssembler {
  #incomplete = new Map(); // frame id -> { pieces, missing, bytes }
  #maxBytes;

  constructor(maxBytes = MAX_RESULT_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /**
   * @param {ArrayBuffer | Uint8Array} message
   * @returns {{frameId: number, text: string} | null} the result that this message completes
   * @throws {UploadError} `bad-result`
   */
  push(message) {
    // werift gives Buffers, whatever `binaryType` says.
    const bytes = ArrayBuffer.isView(message) ? message : new Uint8Array(message);
    if (message.byteLength <= RESULT_HEADER_BYTES) {
      throw bad(`a message of ${message.byteLength} bytes is too short to be a part of a result`);
    }
    const header = new DataView(bytes.buffer, bytes.byteOffset);
    const frameId = header.getUint32(0, true);
    const index = header.getUint32(4, true);
    const total = header.getUint32(8, true);
    const piece = bytes.subarray(RESULT_HEADER_BYTES);
    if (index >= total) throw bad(`part ${index} of a result of ${total} parts`);
    if (total === 1) return { frameId, text: decode([piece]) };

    let result = this.#incomplete.get(frameId);
    if (!result) {
      if (total * RESULT_HEADER_BYTES > this.#maxBytes) throw bad(`a result of ${total} parts`);
      if (this.#incomplete.size >= MAX_INCOMPLETE_RESULTS) throw bad('too many unfinished results');
      result = { pieces: new Array(total), missing: total, bytes: 0 };
      this.#incomplete.set(frameId, result);
    }
    if (result.pieces.length !== total) throw bad(`result ${frameId} changed its number of parts`);
    if (result.pieces[index]) return null; // Again.
    result.bytes += piece.byteLength;
    if (result.bytes > this.#maxBytes) throw bad(`a result of more than ${this.#maxBytes} bytes`);
    result.pieces[index] = piece;
    result.missing -= 1;
    if (result.missing > 0) return null;
    this.#incomplete.delete(frameId);
    return { frameId, text: decode(result.pieces) };
  }
}

// As one stream, since a character may lie across two pieces.
function decode(pieces) {
  const decoder = new TextDecoder();
  const stream = true;
  return pieces.map((piece) => decoder.decode(piece, { stream })).join('') + decoder.decode();
}
