// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Time-outs by name, of which each runs once at a time.

export class Timers {
  #timers = new Map();

  /** Calls `action` after a time, unless one of this name runs already. */
  start(name, delay, action) {
    if (this.#timers.has(name)) return;
    const timer = setTimeout(() => {
      this.#timers.delete(name);
      action();
    }, delay);
    this.#timers.set(name, timer);
  }

  stop(...names) {
    for (const name of names) {
      clearTimeout(this.#timers.get(name));
      this.#timers.delete(name);
    }
  }

  stopAll() {
    this.stop(...this.#timers.keys());
  }
}
