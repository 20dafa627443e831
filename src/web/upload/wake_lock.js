// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The screen stays on while something is sent, where the browser can do that: a device that goes to sleep sends nothing.

export class WakeLock {
  #lock = null;
  #wanted = true;
  // The browser takes the lock away from a page that is hidden.
  #onVisible = () => {
    if (globalThis.document.visibilityState === 'visible') this.#request();
  };

  constructor() {
    if (!globalThis.navigator?.wakeLock || !globalThis.document) return;
    globalThis.document.addEventListener('visibilitychange', this.#onVisible);
    this.#request();
  }

  release() {
    this.#wanted = false;
    globalThis.document?.removeEventListener('visibilitychange', this.#onVisible);
    this.#lock?.release().catch(() => {});
  }

  async #request() {
    try {
      const lock = await globalThis.navigator.wakeLock.request('screen');
      if (this.#wanted) this.#lock = lock;
      else await lock.release();
    } catch {
      // Not now, or not on this page: the upload goes on without.
    }
  }
}
