// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The SHA-256 of what is uploaded, while it is: in a worker, or here where no worker can be made, as on a page whose
// policy forbids it.

import { Sha256 } from './sha256.js';

// The worker may be behind by so much. Its queue is memory.
const MAX_UNHASHED = 4 * 1024 * 1024;
// A worker that has said nothing for so long does not come any more.
const WORKER_START_MS = 5000;

export class FileHash {
  #worker = null;
  #local = null; // A Sha256, where there is no worker.
  #unhashed = 0;
  #digest = null;
  #failed = false;
  #wake = () => {};

  static async start() {
    const hash = new FileHash();
    hash.#worker = await startWorker();
    if (hash.#worker) hash.#listen(hash.#worker);
    else hash.#local = new Sha256();
    return hash;
  }

  /** The next bytes. Resolves when more may come. Those are copied: they stay the caller's. */
  async update(bytes) {
    if (this.#local) {
      this.#local.update(bytes);
      return;
    }
    if (this.#failed) return;
    // A view would be sent with all of the buffer that it is in.
    const whole = bytes.byteLength === bytes.buffer.byteLength;
    this.#worker.postMessage(whole ? bytes : bytes.slice());
    this.#unhashed += bytes.byteLength;
    while (this.#unhashed > MAX_UNHASHED && !this.#failed) await this.#news();
  }

  /** Hexadecimal, of all bytes; null if the worker has died. Once. */
  async digest() {
    if (this.#local) return this.#local.digest();
    if (!this.#failed) this.#worker.postMessage(null);
    while (!this.#digest && !this.#failed) await this.#news();
    this.stop();
    return this.#digest;
  }

  stop() {
    this.#failed = true;
    this.#worker?.terminate();
    this.#wake();
  }

  #news() {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #listen(worker) {
    worker.addEventListener('message', ({ data }) => {
      this.#unhashed -= data.hashed ?? 0;
      this.#digest = data.digest ?? null;
      this.#wake();
    });
    worker.addEventListener('error', () => this.stop());
  }
}

// A worker that has said that it is there, or null.
async function startWorker() {
  let worker;
  try {
    worker = new Worker(workerUrl(), { type: 'module' });
  } catch {
    return null; // None in this program, or none from there.
  }
  const ready = await new Promise((resolve) => {
    const timer = setTimeout(resolve, WORKER_START_MS, false);
    const settle = (good) => {
      clearTimeout(timer);
      resolve(good);
    };
    worker.addEventListener('message', () => settle(true), { once: true });
    worker.addEventListener('error', () => settle(false), { once: true });
  });
  if (ready) return worker;
  worker.terminate();
  return null;
}

// Pages that trust nobody's addresses for scripts take this one.
function workerUrl() {
  const url = new URL('../sha256_worker.js', import.meta.url);
  if (!globalThis.trustedTypes) return url;
  const policy = globalThis.trustedTypes.createPolicy('webrtcupload', {
    createScriptURL: () => String(url),
  });
  return policy.createScriptURL('');
}
