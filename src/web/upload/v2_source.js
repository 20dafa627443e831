// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where the bytes of an upload come from, in wire v2: piece by piece, in their order, each once.

import { unexpected, UploadError } from './errors.js';
import { READ_BYTES } from './pacing.js';
import { CHUNK_BYTES } from './wire.js';

export const isStream = (content) => typeof content.getReader === 'function';

/** Of a Blob, or of a stream, which can be read once. */
export const sourceOf = (content) =>
  isStream(content) ? new StreamSource(content) : new FileSource(content);

/** The content as wire v1 takes it, which wants to know the size first. */
export function v1Source(content) {
  if (!isStream(content)) return content;
  const sentence = 'This server takes no stream: it wants to know the size before the first byte.';
  const error = new UploadError('unknown-size', sentence);
  content.cancel(error).catch(() => {}); // Somebody else reads it.
  throw error;
}

/** A file, whose next piece is read before anybody asks for it. */
export class FileSource {
  #file;
  #at = 0;
  #ahead = null;

  constructor(file) {
    this.#file = file;
  }

  get size() {
    return this.#file.size;
  }

  /** The next piece; null at the end. */
  async next() {
    const piece = this.#ahead ?? this.#read();
    this.#ahead = this.#read();
    try {
      return await piece;
    } catch (cause) {
      throw unexpected(cause);
    }
  }

  stop() {}

  #read() {
    if (this.#at >= this.size) return Promise.resolve(null);
    const piece = bytesOf(this.#file.slice(this.#at, this.#at + READ_BYTES));
    this.#at += READ_BYTES;
    piece.catch(() => {}); // Told where it is awaited, unless nobody comes to that.
    return piece;
  }
}

/** A stream of bytes or Blobs: it is read as far as pieces are asked for, and a block of them further. */
export class StreamSource {
  #reader;
  #blob = null; // Of which the rest is still to be read.
  #parts = [];
  #bytes = 0; // In all of them.
  #reading = null; // A promise, while it does.
  #ended = false;
  #failure = null;

  /** @param {ReadableStream} stream that nobody else reads */
  constructor(stream) {
    this.#reader = stream.getReader();
  }

  get size() {
    return null;
  }

  /** What has come since the last piece, or comes next; null at the end. Memory of its own. */
  async next() {
    this.#fill();
    while (this.#bytes === 0 && this.#reading) await this.#reading;
    if (this.#failure) throw this.#failure;
    if (this.#bytes === 0) return null;
    const piece = this.#cut(Math.min(this.#bytes, READ_BYTES));
    this.#fill();
    return piece;
  }

  /** Nobody wants the rest. */
  stop(reason) {
    this.#ended = true;
    this.#reader.cancel(reason).catch(() => {}); // It has failed already.
  }

  // Many small parts become one block, if they come faster than they can be sent.
  #fill() {
    if (this.#reading || this.#ended || this.#bytes >= CHUNK_BYTES) return;
    this.#reading = this.#readPart()
      .catch((error) => {
        this.#ended = true;
        this.#failure = error;
      })
      .finally(() => {
        this.#reading = null;
        this.#fill();
      });
  }

  async #readPart() {
    if (this.#blob === null) {
      const { done, value } = await this.#reader.read().catch((cause) => {
        const why = cause?.message ?? String(cause);
        throw new UploadError('stream-failed', `The stream has failed: ${why}`, { cause });
      });
      if (done) this.#ended = true;
      else if (value instanceof Blob) this.#blob = value;
      else this.#add(viewOf(value));
    } else {
      const part = this.#blob.slice(0, READ_BYTES);
      const rest = this.#blob.slice(READ_BYTES);
      this.#blob = rest.size > 0 ? rest : null;
      try {
        this.#add(await bytesOf(part));
      } catch (cause) {
        throw unexpected(cause);
      }
    }
  }

  #add(part) {
    if (part.length > 0) this.#parts.push(part);
    this.#bytes += part.length;
  }

  #cut(size) {
    const piece = new Uint8Array(size);
    for (let at = 0; at < size; ) {
      const [part] = this.#parts;
      const taken = part.subarray(0, size - at);
      piece.set(taken, at);
      at += taken.length;
      if (taken.length === part.length) this.#parts.shift();
      else this.#parts[0] = part.subarray(taken.length);
    }
    this.#bytes -= size;
    return piece;
  }
}

const bytesOf = async (blob) => new Uint8Array(await blob.arrayBuffer());

function viewOf(value) {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  throw new UploadError('stream-failed', 'The stream gave neither bytes nor a Blob.');
}
