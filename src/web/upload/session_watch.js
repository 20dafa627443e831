// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whether the session still runs.

import { gone, serverGone, textOf, UploadError } from './errors.js';

// Without a sign of life for so long the server is asked whether the session still runs; then less
// and less often, up to the second. While the connection is interrupted, it is asked every second.
const SILENCE_MS = 1500;
const LONGEST_SILENCE_MS = 12000;
const INTERRUPTED_MS = 1000;
const LOOK_MS = 250;
const STATUS_TIMEOUT_MS = 4000;
// A server that is restarted, or a proxy before it, may refuse a request and be there again.
const ENOUGH_REFUSALS = 3;

// Asks the server when nothing comes from it, since a peer that has died says nothing and ICE takes
// its time to notice. Servers that do not speak of their sessions are left alone: nothing is
// concluded before the first good answer.
export class SessionWatch {
  #status;
  #signOfLife;
  #onEnd;
  #timer;
  #sign;
  #quietSince = performance.now(); // No sign since, and not asked.
  #patience = SILENCE_MS;
  #known = false;
  #interrupted = false;
  #refusals = 0;
  #asking = null; // A promise while an answer is waited for.
  #question = null; // Its AbortController.

  constructor(status, signOfLife, onEnd) {
    this.#status = status;
    this.#signOfLife = signOfLife;
    this.#onEnd = onEnd;
    this.#sign = signOfLife();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#ask();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
    this.#question?.abort();
  }

  set interrupted(interrupted) {
    this.#interrupted = interrupted;
    if (interrupted) this.#ask();
  }

  /** When the connection is lost for certain: the error that the server knows of, or null. */
  async lost() {
    let error = null;
    this.#onEnd = (told) => {
      error = told;
    };
    this.#interrupted = true;
    // A session that has just lost its process, or its client, may take a moment to be ended.
    for (let i = 0; i < 3 && this.#timer; i += 1) {
      if (i > 0) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      this.#refusals = ENOUGH_REFUSALS;
      await this.#ask();
    }
    this.stop();
    return error;
  }

  #look() {
    const sign = this.#signOfLife();
    const now = performance.now();
    if (sign !== this.#sign) {
      this.#sign = sign;
      this.#quietSince = now;
      this.#patience = SILENCE_MS;
      this.#refusals = 0;
      return;
    }
    const soon = this.#interrupted || this.#refusals > 0;
    if (now - this.#quietSince < (soon ? INTERRUPTED_MS : this.#patience)) return;
    this.#ask();
  }

  #ask() {
    if (!this.#timer) return null;
    this.#asking ??= this.#takeAnswer().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #takeAnswer() {
    const question = new AbortController();
    this.#question = question;
    const timer = setTimeout(() => question.abort(), STATUS_TIMEOUT_MS);
    let status = null;
    let problem = null;
    try {
      status = await this.#status(question.signal);
    } catch (error) {
      problem = error;
    }
    clearTimeout(timer);
    this.#quietSince = performance.now();
    if (!this.#timer) return;
    const error = problem ? this.#judge(problem, question.signal.aborted) : this.#read(status);
    if (error) {
      this.stop();
      this.#onEnd(error);
    }
  }

  #read(status) {
    this.#refusals = 0;
    if (status?.state === 'running') {
      this.#known = true;
      this.#patience = Math.min(2 * this.#patience, LONGEST_SILENCE_MS);
      return null;
    }
    if (status?.state !== 'ended') {
      this.stop();
      return null;
    }
    return errorFromStatus(status);
  }

  #judge(problem, late) {
    const { status, code } = problem;
    const refused = code === 'network-failed' || (status >= 502 && status <= 504);
    if (refused && globalThis.navigator?.onLine !== false) {
      this.#refusals += 1;
      if (this.#known && this.#refusals >= ENOUGH_REFUSALS) return serverGone(problem);
    } else if (status === 404) {
      // Of several servers behind one address another one may have been asked.
      if (this.#known && this.#interrupted) return serverGone(problem);
      // It may just not speak of its sessions.
      if (!this.#known) this.#refusals += 1;
      if (!this.#known && this.#refusals >= ENOUGH_REFUSALS) this.stop();
    } else if (!late && !refused) {
      this.stop(); // It has nothing to say to us.
    }
    return null;
  }
}

/** What ended a session, as its server says. */
export function errorFromStatus({ status, code, message }) {
  // That the server has lost us is no news; that it was done, and we do not know of what, neither.
  if (status !== 'failed' || code === 'peer-gone') return gone();
  const said = textOf(code);
  return new UploadError(said, textOf(message ?? said), { remote: true });
}

/** Why there is no further connection to a session, with what its server says of that. */
export async function reasonOf(error, askStatus, signal) {
  // There is no such session, or nothing of it that could go on.
  if (![404, 409].includes(error.status) || !askStatus) return error;
  const said = await askStatus(signal).catch(() => null);
  return said?.state === 'ended' ? errorFromStatus(said) : gone();
}
