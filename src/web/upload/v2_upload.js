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

// How long to try for a connection again before the server has said how long it waits.
const FIRST_PATIENCE_S = 30;
// So often in a row the same thing may go wrong.
const MAX_FRUITLESS = 5;

export class V2Upload {
  #end;
  #reconnect;
  #channel;
  #source = null;
  #hash = null;
  #sha256; // undefined until everything has been read; null if nobody knows it.
  #position = 0; // Everything before it has been sent at least once, and hashed.
  #stored = 0;
  #id = null; // The server's name of the upload.
  #patience = FIRST_PATIENCE_S;
  #storedAtLoss = -1;
  #fruitless = 0; // So often the channel was lost, and nothing new had been stored since the time before.

  /**
   * @param {RTCDataChannel} channel
   * @param {import('./session_end.js').SessionEnd} end
   * @param {(lost: UploadError, seconds: number) => Promise<RTCDataChannel>} reconnect makes another channel within
   *     that time. Rejects if it cannot
   */
  constructor(channel, end, reconnect) {
    this.#end = end;
    this.#reconnect = reconnect;
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

  /** Whether it can go on over another channel. */
  get resumable() {
    return this.#patience > 0;
  }

  /** The channel is of no use any more. */
  lose() {
    this.#channel.lose();
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
    const hello = {
      size: this.#source.size,
      sha256: null,
      name: wireName(file.name),
      content_type: wireName(file.type),
      nonce: newNonce(),
    };
    for (;;) {
      try {
        return await this.#sendOver(this.#channel, { ...hello, upload: this.#id });
      } catch (error) {
        await this.#recover(error);
      }
    }
  }

  // Another channel, if the one before was lost.
  async #recover(error) {
    if (!(error instanceof Interruption)) throw error;
    this.#channel.close();
    const lost = error.error;
    this.#fruitless = this.#stored > this.#storedAtLoss ? 0 : this.#fruitless + 1;
    this.#storedAtLoss = this.#stored;
    if (this.#fruitless > MAX_FRUITLESS) throw lost;
    this.#channel = this.#wrap(await this.#reconnect(lost, this.#patience));
    if (this.#end.over) this.#channel.close();
  }

  // Everything that is missing, over one channel.
  async #sendOver(channel, hello) {
    const ready = await channel.hello(hello);
    this.#id = ready.upload;
    this.#patience = ready.resume_timeout;
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
