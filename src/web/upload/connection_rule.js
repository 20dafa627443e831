// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How many connections an upload has, where nobody has said it: one, and one more as long as that pays. What the numbers
// rest on is in docs/javascript.md. No clock and no network is in here.

// One SCTP association sends at most its window in each round trip, and its window shrinks with every lost packet. On a near
// way it fills the way all the same; further ones would only take memory of the server's.
const NEAR_MS = 10;
// More would be no help: what one of so many adds is less than what has to be gained.
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
   * Looks at an upload, several times a second. True if it should have one more connection.
   * @param {{now: number, stored: number, connections: number, full: boolean, roundTrip: number}} upload milliseconds of
   *     a clock; bytes that the server has; connections that bytes go over; whether all of those have as many bytes waiting
   *     as they take, and credit for more: the way holds them up; milliseconds, Infinity while that is not known
   */
  look({ now, stored, connections, full, roundTrip }) {
    if (connections !== this.#connections) {
      // One that was lost leaves nothing to compare with.
      this.#rateBefore = connections > this.#connections ? this.#rate : 0;
      this.#connections = connections;
      this.#bad = 0;
      this.#measureFrom(now + SETTLE_MS);
    }
    const rate = this.#measure(now, stored, full);
    if (rate === null || !Number.isFinite(roundTrip) || roundTrip < NEAR_MS) return false;
    this.#bad = rate >= GOOD_GAIN * this.#rateBefore ? 0 : this.#bad + 1;
    if (this.#bad > 0 || connections >= this.#most) return false;
    this.#rate = rate;
    return true;
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
