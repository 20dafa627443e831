// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The SHA-256 of what is uploaded, while it is: in a worker, or here where no worker can be made, as on a page whose
// policy forbids it.

import { READ_BYTES } from './pacing.js';
import { Sha256 } from './sha256.js';

// The worker may be behind by so many pieces.
const MAX_BUFFERS = 3;
// A worker that has said nothing for so long does not come any more.
const WORKER_START_MS = 5000;

export class FileHash {
  #worker = null;
  #local = null; // A Sha256, where there is no worker.
  #free = []; // ArrayBuffers, which go to the worker and come back: fresh ones cost more than what happens with them.
  #made = 0; // So many of them are there.
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

  /** The next bytes. Resolves when they have been copied: they stay the caller's. */
  async update(bytes) {
    if (this.#local) {
      this.#local.update(bytes);
      return;
    }
    const buffer = await this.#buffer(bytes.length);
    if (!buffer) return;
    const copy = new Uint8Array(buffer, 0, bytes.length);
    copy.set(bytes);
    this.#worker.postMessage(copy, [buffer]);
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

  // One with room for so many bytes, once there is one; null if the worker has died.
  async #buffer(size) {
    const busy = () => this.#free.length === 0 && this.#made === MAX_BUFFERS;
    while (busy() && !this.#failed) await this.#news();
    if (this.#failed) return null;
    const free = this.#free.pop();
    if (!free) this.#made += 1;
    return free?.byteLength >= size ? free : new ArrayBuffer(Math.max(size, READ_BYTES));
  }

  #news() {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #listen(worker) {
    worker.addEventListener('message', ({ data }) => {
      if (data.hashed) this.#free.push(data.hashed);
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
