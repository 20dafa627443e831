// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The connections that an upload has beside its first: as many as were asked for, or as the rule says. What goes wrong with
// one of them is nothing to the upload.

import { ConnectionRule } from './connection_rule.js';
import { watchConnection } from './negotiation.js';

const LOOK_EVERY_MS = 100;
// After so many that came to nothing no further one is tried, until the upload has begun anew.
const MAX_FAILURES = 3;
const PAUSE_MS = 2000;

export class FurtherConnections {
  #wish;
  #most;
  #upload;
  #connect;
  #made = new Map(); // What connect() gave, by the channel of the upload.
  #coming = new Set(); // AbortControllers.
  #rule = null;
  #wanted = 1;
  #failures = 0;
  #notBefore = 0;
  #timer = null;

  /**
   * @param {{wish: number | 'auto', most: number}} how how many connections there should be, the first one counted, and
   *     may be
   * @param {import('./v2_upload.js').V2Upload} upload
   * @param {(signal: AbortSignal) => Promise<{connection: RTCPeerConnection, upload: RTCDataChannel,
   *     end?: () => unknown}>} connect
   */
  constructor({ wish, most }, upload, connect) {
    this.#wish = wish;
    this.#most = most;
    this.#upload = upload;
    this.#connect = connect;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  /** The upload has lost this channel. */
  left(channel) {
    const made = this.#made.get(channel);
    if (!made) return;
    this.#made.delete(channel);
    close(made);
    this.#failed();
  }

  /** One over which bytes go, from now on no further one but the first; null if there is none. */
  promote() {
    for (const [channel, made] of this.#made) {
      if (!this.#upload.has(channel)) continue;
      this.#made.delete(channel);
      made.stopWatching();
      return made;
    }
    return null;
  }

  /** Closes all of them. There may be others later, beside another first one. */
  reset(sessionGoesOn = true) {
    for (const coming of this.#coming) coming.abort();
    this.#coming.clear();
    for (const made of this.#made.values()) close(made, sessionGoesOn);
    this.#made.clear();
    this.#rule = null;
    this.#wanted = 1;
    this.#failures = 0;
  }

  stop(sessionGoesOn) {
    clearInterval(this.#timer);
    this.reset(sessionGoesOn);
  }

  #look() {
    const { connections } = this.#upload.state;
    if (connections === 0) return;
    const all = 1 + this.#made.size + this.#coming.size;
    const most = Math.min(this.#most, this.#upload.maxConnections);
    if (this.#wish !== 'auto') {
      this.#wanted = Math.min(this.#wish, most);
    } else {
      this.#rule ??= new ConnectionRule(most);
      const asked = this.#rule.look({ now: performance.now(), ...this.#upload.state });
      this.#wanted = Math.max(this.#wanted, asked);
    }
    for (let count = all; count < this.#wanted; count += 1) this.#addOne();
  }

  async #addOne() {
    if (this.#failures >= MAX_FAILURES || performance.now() < this.#notBefore) return;
    const coming = new AbortController();
    this.#coming.add(coming);
    try {
      const made = await this.#connect(coming.signal);
      if (coming.signal.aborted) close(made);
      else this.#add(made);
    } catch {
      if (!coming.signal.aborted) this.#failed();
    } finally {
      this.#coming.delete(coming);
    }
  }

  #add(made) {
    const { connection, upload: channel } = made;
    this.#made.set(channel, made);
    made.stopWatching = watchConnection(connection, () => this.#upload.lose(channel));
    this.#upload.add(channel);
  }

  #failed() {
    this.#failures += 1;
    this.#notBefore = performance.now() + PAUSE_MS * this.#failures;
  }
}

async function close({ connection, end, stopWatching }, sessionGoesOn = true) {
  stopWatching?.();
  connection.close();
  try {
    if (sessionGoesOn) await end?.();
  } catch {
    // The server will notice by itself.
  }
}
