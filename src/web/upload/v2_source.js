// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where the bytes of an upload come from, in wire v2: some have to be sent again when a connection
// is lost.

import { unexpected } from './errors.js';

/** A file, of which any part can be read at any time. */
export class FileSource {
  #file;
  #ahead = null; // { begin, end, bytes }: what is being read before anybody asks for it.

  constructor(file) {
    this.#file = file;
  }

  get size() {
    return this.#file.size;
  }

  /** The bytes from `begin` to `end`, which is not behind the file's. */
  async read(begin, end) {
    const { bytes } = this.#isAhead(begin, end) ? this.#ahead : this.#start(begin, end);
    const behind = Math.min(this.size, end + (end - begin));
    this.#ahead = end < behind ? this.#start(end, behind) : null;
    try {
      return new Uint8Array(await bytes);
    } catch (cause) {
      throw unexpected(cause);
    }
  }

  #isAhead(begin, end) {
    return this.#ahead?.begin === begin && this.#ahead.end === end;
  }

  #start(begin, end) {
    const bytes = this.#file.slice(begin, end).arrayBuffer();
    bytes.catch(() => {}); // Told where it is awaited, unless nobody comes to that.
    return { begin, end, bytes };
  }
}
