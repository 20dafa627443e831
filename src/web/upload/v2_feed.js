// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is to be sent next, in wire v2: blocks that were lost with their channel, then what the source has. The bytes of a block
// stay until the server has it, so that nothing is read twice.

import { UploadError } from './errors.js';
import { missingRanges } from './v2_wire.js';

// A server names no more ranges.
const MAX_RANGES = 1024;

/**
 * A part of the file on its way.
 * @typedef {{begin: number, bytes: Uint8Array, stored: boolean, spare: boolean}} Block `stored`: the server has it;
 *     `spare`: it is on its way a second time
 */

export class Feed {
  #source;
  #hash;
  #onNews;
  #onError;
  #again = []; // Blocks, by their beginning.
  #fresh = new Uint8Array(0); // Read, and not sent yet.
  #position = 0; // Of what is fresh.
  #reading = false;
  #ended = false;

  /**
   * @param {{next: () => Promise<Uint8Array | null>}} source
   * @param {import('./file_hash.js').FileHash} hash gets all bytes in their order
   * @param {{onNews: () => void, onError: (error: unknown) => void}} handlers
   */
  constructor(source, hash, { onNews, onError }) {
    this.#source = source;
    this.#hash = hash;
    this.#onNews = onNews;
    this.#onError = onError;
  }

  /** Bytes of the file that have been handed out at least once. */
  get position() {
    return this.#position;
  }

  /** Nothing more comes out of the source. */
  get ended() {
    return this.#ended && this.#fresh.length === 0;
  }

  /** Everything is stored or on its way. */
  get empty() {
    return this.ended && this.#again.length === 0;
  }

  /** Bytes of the next block, of which the largest is given; 0 while there is none, and then it is read. */
  offer(largest) {
    const next = this.#again[0]?.bytes ?? this.#fresh;
    if (next.length === 0) this.#read();
    return Math.min(next.length, largest);
  }

  /** The block that was offered. */
  take(size) {
    if (this.#again.length === 0) {
      const block = blockOf(this.#position, this.#fresh.subarray(0, size));
      this.#fresh = this.#fresh.subarray(size);
      this.#position += size;
      return block;
    }
    const block = this.#again.shift();
    if (block.bytes.length === size) return block;
    this.#again.unshift(blockOf(block.begin + size, block.bytes.subarray(size)));
    return blockOf(block.begin, block.bytes.subarray(0, size));
  }

  /** Blocks whose channel is lost. */
  takeBack(blocks) {
    for (const block of blocks) {
      if (!block.stored && !this.#again.includes(block)) this.#again.push(block);
    }
    this.#again.sort((one, other) => one.begin - other.begin);
  }

  /** What the server says it has, when nothing is on its way. */
  reconcile(have) {
    const missing = missingRanges(have, this.#position);
    const lacks = ({ begin, bytes }) =>
      missing.some(([first, behind]) => first < begin + bytes.length && begin < behind);
    this.#again = this.#again.filter(lacks);
    const kept = this.#again.map(({ begin, bytes }) => [begin, begin + bytes.length]);
    // Behind the last range that it names there may be more.
    if (have.length >= MAX_RANGES) return;
    for (const [first, behind] of missing) {
      const [gap] = missingRanges(joined(kept), behind).filter(([, end]) => end > first);
      if (!gap) continue;
      const sentence = `The server has lost what it had: the bytes from ${Math.max(first, gap[0])} on.`;
      throw new UploadError('bad-answer', sentence);
    }
  }

  async #read() {
    if (this.#reading || this.#ended) return;
    this.#reading = true;
    try {
      const piece = await this.#source.next();
      if (piece) await this.#hash.update(piece);
      this.#fresh = piece ?? this.#fresh;
      this.#ended = piece === null;
      this.#reading = false;
      this.#onNews();
    } catch (error) {
      this.#onError(error);
    }
  }
}

const blockOf = (begin, bytes) => ({ begin, bytes, stored: false, spare: false });

// Ranges in order, those that touch as one.
function joined(ranges) {
  const all = [];
  for (const [begin, end] of ranges) {
    if (all.at(-1)?.[1] >= begin) all.at(-1)[1] = Math.max(all.at(-1)[1], end);
    else all.push([begin, end]);
  }
  return all;
}
