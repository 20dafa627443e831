// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The upload channel: a file in chunks, as fast as the channel takes them and no faster.

import { BUFFER_HIGH, BUFFER_LOW, BUFFER_POLL_MS, READ_BYTES } from './pacing.js';
import { CHUNK_BYTES, encodeChunk, MessageMemory } from './wire.js';

export class UploadChannel {
  #channel;
  #end;
  #onRefusal;
  #handedOver = 0;
  #memory = new MessageMemory();

  /**
   * @param {RTCDataChannel} channel
   * @param {import('./session_end.js').SessionEnd} end
   * @param {(cause: unknown) => void} onRefusal the channel has thrown instead of taking a message
   */
  constructor(channel, end, onRefusal) {
    this.#channel = channel;
    this.#end = end;
    this.#onRefusal = onRefusal;
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = BUFFER_LOW;
  }

  /** Bytes of the file that have left for the server. */
  get sent() {
    return Math.max(0, this.#handedOver - this.#channel.bufferedAmount);
  }

  get open() {
    return this.#channel.readyState === 'open';
  }

  /** Changes while the server takes anything. */
  get signOfLife() {
    return String(this.#channel.bufferedAmount);
  }

  /** Resolves when the server has all of the file, or has seen enough. v1 has no checksums. */
  async send(file) {
    await this.#sendAll(file);
    return { sha256: null, verified: false };
  }

  async #sendAll(file) {
    for await (const [index, total, payload] of chunksOf(file)) {
      await this.#room();
      if (this.#end.failure) throw this.#end.failure;
      if (this.#end.over) return; // The server has seen enough.
      await this.#send(encodeChunk(index, total, payload, this.#memory));
      this.#handedOver += payload.byteLength;
    }
    if (this.#end.over) return;
    // It comes back when everything before it has arrived.
    const echo = this.#end.next(this.#channel, 'message');
    echo.catch(() => {}); // Should it not come to the next line but one.
    await this.#send(new Uint8Array(1));
    await echo;
  }

  // Until there is room in the channel's buffer, or the session ends.
  async #room() {
    const poll = 'onbufferedamountlow' in this.#channel ? undefined : BUFFER_POLL_MS;
    while (this.#channel.bufferedAmount > BUFFER_HIGH && !this.#end.over) {
      await this.#end.next(this.#channel, 'bufferedamountlow', poll);
    }
  }

  // Where the channel has closed, the reason is on its way. Some stacks tell of the end only here.
  async #send(message) {
    if (this.open) {
      try {
        this.#channel.send(message);
        return;
      } catch (cause) {
        this.#onRefusal(cause);
      }
    }
    await this.#end.reached();
  }
}

// [index, total, payload] of all chunks. While one block of them is sent, the next is read.
async function* chunksOf(file) {
  const total = Math.ceil(file.size / CHUNK_BYTES);
  const read = (at) => {
    const block = file.slice(at, at + READ_BYTES).arrayBuffer();
    block.catch(() => {}); // Told where it is awaited, unless nobody comes to that.
    return block;
  };
  let index = 0;
  let coming = read(0);
  for (let at = 0; at < file.size; at += READ_BYTES) {
    const block = await coming;
    if (at + READ_BYTES < file.size) coming = read(at + READ_BYTES);
    for (let offset = 0; offset < block.byteLength; offset += CHUNK_BYTES) {
      const size = Math.min(CHUNK_BYTES, block.byteLength - offset);
      yield [index, total, new Uint8Array(block, offset, size)];
      index += 1;
    }
  }
}
