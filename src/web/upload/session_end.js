// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How the session ended, once it has, and waiting for anything else until then.

export class SessionEnd {
  #over = false;
  #failure = null;
  #waiting = new Set();

  /** Well or badly. */
  get over() {
    return this.#over;
  }

  /** The UploadError that ended it, or null. */
  get failure() {
    return this.#failure;
  }

  /** Ends all waiting. */
  settle(failure = null) {
    this.#over = true;
    this.#failure = failure;
    for (const waiter of [...this.#waiting]) waiter();
  }

  /**
   * Resolves at the event, when the server is done, or after a time; rejects when the session fails.
   * @param {EventTarget} target
   * @param {string} name
   * @param {number} [timeout] in milliseconds
   * @returns {Promise<Event | undefined>}
   */
  next(target, name, timeout) {
    return new Promise((resolve, reject) => {
      const timer = timeout && setTimeout(() => settle(), timeout);
      const settle = (event) => {
        target.removeEventListener(name, settle);
        this.#waiting.delete(settle);
        clearTimeout(timer);
        if (this.#failure) reject(this.#failure);
        else resolve(event);
      };
      if (this.#over) {
        settle();
        return;
      }
      target.addEventListener(name, settle);
      this.#waiting.add(settle);
    });
  }

  /** Waits for how the session ends. */
  reached() {
    return this.next(new EventTarget(), 'never');
  }
}
