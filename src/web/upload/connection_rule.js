// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How many connections an upload has, where nobody has said it: docs/operating.md, "How many connections", says why.
// `webrtc-upload send` has the same rule and the same numbers. No clock and no network is in here.

// A shorter round trip is no reason for several.
const FAR_MS = 20;
// Nor is less than this, which is over before another connection is there.
const LEAST_BYTES = 4 * 1024 * 1024;
// So many at once, as soon as the way is known to be far. Then one at a time, and no more than
const AT_ONCE = 4;
const MOST_CONNECTIONS = 8;
// One connection more is good if the rate is up by so much. Where each has the same share of the rate, the sixth adds a fifth.
const GOOD_GAIN = 1.2;
// A new connection begins slowly. Only then the rate is measured, over so long.
const SETTLE_MS = 500;
const MEASURE_MS = 1500;
// The rate after a loss is another one than before. Only what is bad twice is bad.
const BAD_MEASUREMENTS = 2;
// The way is what bounds the rate if the channels were found full in so many of all looks.
const MOSTLY = 0.75;

export class ConnectionRule {
  #most;
  #begun = false;
  #connections = 0;
  #rate = 0; // At the last question for one more.
  #rateBefore = 0; // With one connection less.
  #bad = 0;
  #window = null; // What is measured: { begin, stored, looks, full }.

  /** @param {number} most that there may be */
  constructor(most = MOST_CONNECTIONS) {
    this.#most = Math.min(most, MOST_CONNECTIONS);
  }

  /**
   * Looks at an upload, several times a second.
   * @param {{now: number, stored: number, left: number, connections: number, full: boolean, roundTrip: number}} upload
   *     milliseconds of a clock; bytes that the server has; that it has not, Infinity while nobody knows; connections that
   *     bytes go over; whether all of those have as many bytes waiting as they take, and credit for more: the way holds them
   *     up; the shortest that was seen, in milliseconds, Infinity while that is not known
   * @returns {number} how many connections there should be
   */
  look({ now, stored, left, connections, full, roundTrip }) {
    if (connections !== this.#connections) {
      // One that was lost leaves nothing to compare with.
      this.#rateBefore = connections > this.#connections ? this.#rate : 0;
      this.#connections = connections;
      this.#bad = 0;
      this.#measureFrom(now + SETTLE_MS);
    }
    const known = Number.isFinite(roundTrip);
    const may = known && roundTrip >= FAR_MS && left >= LEAST_BYTES && connections < this.#most;
    const first = known && !this.#begun;
    this.#begun ||= known;
    if (first && may) return Math.max(connections, Math.min(AT_ONCE, this.#most));
    const rate = this.#measure(now, stored, full);
    if (rate === null) return connections;
    this.#bad = rate >= GOOD_GAIN * this.#rateBefore ? 0 : this.#bad + 1;
    if (this.#bad > 0 || !may) return connections;
    this.#rate = rate;
    return connections + 1;
  }

  #measureFrom(begin) {
    this.#window = { begin, stored: null, looks: 0, full: 0 };
  }

  // Bytes in a millisecond, at the end of a time in which the way has bounded it; otherwise null.
  #measure(now, stored, full) {
    const window = this.#window;
    if (now < window.begin || this.#bad >= BAD_MEASUREMENTS) return null;
    if (window.stored === null) Object.assign(window, { begin: now, stored });
    window.looks += 1;
    window.full += full ? 1 : 0;
    const time = now - window.begin;
    if (time < MEASURE_MS) return null;
    this.#measureFrom(now);
    return window.full >= MOSTLY * window.looks ? (stored - window.stored) / time : null;
  }
}
