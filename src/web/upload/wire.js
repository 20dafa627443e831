// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The wire: how a chunk of the file is framed, and how a result is put together out of its messages.

import { bad } from './errors.js';

/** Bytes of the file in each message but the last. What a peer accepts by default is 64 KiB. */
export const CHUNK_BYTES = 49152;
const CHUNK_HEADER_BYTES = 8;
const RESULT_HEADER_BYTES = 12;

// The longest result that is put together. Those that are incomplete have no more either, all of
// them together, and
const MAX_RESULT_BYTES = 32 * 1024 * 1024;
// so many may there be. A piece costs some 250 bytes beside its own, of which it may have one: for
// every 2 KiB of the longest result one piece may wait, and for a short one
const MAX_INCOMPLETE_RESULTS = 8;
const BYTES_PER_PIECE = 2048;
// so many.
const LEAST_PIECES = 1024;

/** Memory for one message after the other. A channel copies what it is given, and fresh memory costs more than all the rest. */
export class MessageMemory {
  #bytes = new Uint8Array(0);

  /** So many bytes, whatever is in them. They are those of the time before. */
  take(size) {
    if (this.#bytes.length < size) this.#bytes = new Uint8Array(size);
    return this.#bytes.subarray(0, size);
  }
}

/** For messages that stay. */
export const FRESH_MEMORY = { take: (size) => new Uint8Array(size) };

/**
 * A chunk as it goes over the wire: `[index u32 LE][total u32 LE][payload]`.
 * @param {number} index
 * @param {number} total
 * @param {Uint8Array} payload
 * @param {{take: (size: number) => Uint8Array}} [memory] for the message
 * @returns {Uint8Array}
 */
export function encodeChunk(index, total, payload, memory = FRESH_MEMORY) {
  const message = memory.take(CHUNK_HEADER_BYTES + payload.byteLength);
  const header = new DataView(message.buffer, message.byteOffset);
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
  #incomplete = new Map(); // frame id -> { total, bytes, pieces: index -> bytes }
  #bytes = 0; // Of all pieces that wait,
  #pieces = 0; // and how many they are.
  #maxBytes;
  #maxPieces;

  constructor(maxBytes = MAX_RESULT_BYTES) {
    this.#maxBytes = maxBytes;
    this.#maxPieces = Math.max(LEAST_PIECES, Math.ceil(maxBytes / BYTES_PER_PIECE));
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
    if (total > this.#maxPieces) throw bad(`a result of ${total} parts`);
    if (total === 1) {
      this.#checkSize(piece.byteLength);
      return { frameId, text: decode([piece]) };
    }

    const result = this.#incomplete.get(frameId) ?? this.#begin(frameId, total);
    const { pieces } = result;
    if (result.total !== total) throw bad(`result ${frameId} changed its number of parts`);
    if (pieces.has(index)) return null; // Again.
    this.#checkSize(this.#bytes + piece.byteLength);
    if (this.#pieces >= this.#maxPieces) throw bad('too many parts of unfinished results');
    // A copy: a view would keep all of the buffer that it is in, which may be shared and long.
    pieces.set(index, new Uint8Array(piece));
    result.bytes += piece.byteLength;
    this.#bytes += piece.byteLength;
    this.#pieces += 1;
    if (pieces.size < total) return null;
    this.#incomplete.delete(frameId);
    this.#bytes -= result.bytes;
    this.#pieces -= total;
    const inOrder = Array.from({ length: total }, (_, number) => pieces.get(number));
    return { frameId, text: decode(inOrder) };
  }

  #begin(frameId, total) {
    if (this.#incomplete.size >= MAX_INCOMPLETE_RESULTS) throw bad('too many unfinished results');
    const result = { total, bytes: 0, pieces: new Map() };
    this.#incomplete.set(frameId, result);
    return result;
  }

  #checkSize(bytes) {
    if (bytes > this.#maxBytes) throw bad(`results of more than ${this.#maxBytes} bytes`);
  }
}

// As one stream, since a character may lie across two pieces.
function decode(pieces) {
  const decoder = new TextDecoder();
  const stream = true;
  return pieces.map((piece) => decoder.decode(piece, { stream })).join('') + decoder.decode();
}
