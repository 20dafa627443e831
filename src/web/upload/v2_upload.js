// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An upload in wire v2, from its hello to the server's word that it has everything.

import { UploadError } from './errors.js';
import { FileHash } from './file_hash.js';
import { READ_BYTES } from './pacing.js';
import { FileSource } from './v2_source.js';
import { Interruption, V2Channel } from './v2_channel.js';
import { missingRanges, newNonce, wireName } from './v2_wire.js';
import { CHUNK_BYTES } from './wire.js';

export class V2Upload {
  #end;
  #onLost;
  #channel;
  #source = null;
  #hash = null;
  #sha256; // undefined until everything has been read; null if nobody knows it.
  #position = 0; // Everything before it has been sent at least once, and hashed.
  #stored = 0;

  /**
   * @param {RTCDataChannel} channel
   * @param {import('./session_end.js').SessionEnd} end
   * @param {() => void} onLost the channel has ended, and the server has not said why
   */
  constructor(channel, end, onLost) {
    this.#end = end;
    this.#onLost = onLost;
    this.#channel = this.#wrap(channel);
  }

  /** Bytes that the server has stored. */
  get sent() {
    return this.#stored;
  }

  /** Changes while the server takes anything. */
  get signOfLife() {
    return `${this.#stored} ${this.#channel.buffered}`;
  }

  /**
   * Resolves when the server has all of the file, or has seen enough.
   * @param {Blob} file
   * @returns {Promise<{sha256: string | null, verified: boolean}>}
   */
  async send(file) {
    const enough = this.#end.reached();
    enough.catch(() => {}); // Only whoever comes first is listened to.
    try {
      const done = await Promise.race([this.#sendAll(file), enough]);
      this.#channel.close();
      return done ?? { sha256: null, verified: false };
    } finally {
      this.#hash?.stop();
    }
  }

  /** Tells the server that nothing more comes, if it can: resolves when the server has closed the channel. */
  async cancel() {
    if (this.#channel.cancel()) await this.#channel.closed();
  }

  #wrap(channel) {
    return new V2Channel(channel, ({ stored }) => {
      this.#stored = Math.max(this.#stored, stored);
    });
  }

  async #sendAll(file) {
    this.#source = new FileSource(file);
    this.#hash = await FileHash.start();
    if (this.#end.over) this.#hash.stop();
    try {
      return await this.#sendOver(this.#channel, {
        size: this.#source.size,
        sha256: null,
        name: wireName(file.name),
        content_type: wireName(file.type),
        upload: null,
        nonce: newNonce(),
      });
    } catch (error) {
      if (!(error instanceof Interruption)) throw error;
      if (error.error.remote) throw error.error;
      this.#onLost();
      return this.#end.reached();
    }
  }

  // Everything that is missing, over one channel.
  async #sendOver(channel, hello) {
    const ready = await channel.hello(hello);
    const largest = Math.min(CHUNK_BYTES, ready.max_payload);
    for (const [begin, end] of missingRanges(ready.have, this.#position)) {
      await this.#sendRange(channel, begin, end, largest);
    }
    await this.#sendRange(channel, this.#position, this.#source.size, largest);
    if (this.#sha256 === undefined) this.#sha256 = await this.#hash.digest();
    channel.end(this.#source.size, this.#sha256);
    return this.#judge(await channel.done());
  }

  async #sendRange(channel, begin, end, largest) {
    for (let at = begin; at < end; at += READ_BYTES) {
      const bytes = await this.#source.read(at, Math.min(end, at + READ_BYTES));
      for (let from = 0; from < bytes.length; from += largest) {
        const payload = bytes.subarray(from, from + largest);
        await channel.send(at + from, payload);
        await this.#passed(at + from + payload.length, payload);
      }
    }
  }

  // `payload`, which ends at `end`, has been sent: for the first time, or again.
  async #passed(end, payload) {
    if (end <= this.#position) return;
    this.#position = end;
    await this.#hash.update(payload);
  }

  #judge({ size, sha256 }) {
    if (size !== this.#source.size) {
      const sentence = `The server has ${size} bytes, the file has ${this.#source.size}.`;
      throw new UploadError('size-mismatch', sentence);
    }
    if (this.#sha256 !== null && sha256 !== this.#sha256) {
      const sentence = `What the server has is not the file: its SHA-256 is ${sha256}, the file's is ${this.#sha256}.`;
      throw new UploadError('hash-mismatch', sentence);
    }
    this.#stored = size;
    return { sha256, verified: this.#sha256 !== null };
  }
}
