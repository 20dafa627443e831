// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The results channel: results for one reader, in order, acknowledged as they are taken.

import { bad, textOf, UploadError } from './errors.js';
import { ResultAssembler } from './wire.js';

// A window of results is acknowledged in few messages, but never so late that the server waits.
const ACK_EVERY = 8;

export class ResultsChannel {
  #channel;
  #options;
  #onComplete;
  #onError;
  #assembler;
  #messages = 0;
  // Of { frameId, text }. A text costs what it says, and what was made of it up to twenty times that.
  #queue = [];
  #queuedLength = 0;
  #takers = [];
  #over = false;
  #failure = null;
  #abandoned = false; // Nobody wants the results any more.
  #taken = 0;
  #acked = 0;
  #dropped = 0;

  /**
   * @param {RTCDataChannel} channel
   * @param {{maxResultBytes?: number, maxQueuedResults: number, maxQueuedBytes: number,
   *     realtime: boolean}} options
   * @param {{onComplete: (result: object) => void, onError: (error: UploadError) => void}} handlers
   *     the server has said its last word; it has sent what is no result
   */
  constructor(channel, options, { onComplete, onError }) {
    this.#options = options;
    this.#onComplete = onComplete;
    this.#onError = onError;
    this.#assembler = new ResultAssembler(options.maxResultBytes);
    this.attach(channel);
  }

  /** Results come over this channel from now on. */
  attach(channel) {
    this.#channel = channel;
    channel.binaryType = 'arraybuffer';
    channel.addEventListener('message', ({ data }) => this.#onMessage(data));
  }

  /** How many have come, of any kind. */
  get messages() {
    return this.#messages;
  }

  get dropped() {
    return this.#dropped;
  }

  iterate() {
    const iterator = {
      [Symbol.asyncIterator]: () => iterator,
      next: () => this.#take(),
      return: async () => {
        this.#abandoned = true;
        this.#queue = [];
        this.#queuedLength = 0;
        this.#acknowledge();
        return { done: true, value: undefined };
      },
    };
    return iterator;
  }

  /** The session is over. What has come can still be taken. */
  end(failure) {
    this.#over = true;
    this.#failure = failure;
    for (const { resolve, reject } of this.#takers.splice(0)) {
      if (failure && !this.#abandoned) {
        this.#abandoned = true;
        reject(failure);
      } else {
        resolve({ done: true, value: undefined });
      }
    }
  }

  close() {
    this.#channel.close();
  }

  #onMessage(data) {
    this.#messages += 1;
    if (this.#over || typeof data === 'string') return;
    let complete = null;
    let result = null;
    try {
      complete = this.#assembler.push(data);
      if (complete) result = JSON.parse(complete.text);
    } catch (error) {
      this.#onError(error instanceof UploadError ? error : bad('a result that is not JSON'));
      return;
    }
    if (result === null || typeof result !== 'object') return;
    if (result.processing_complete) {
      this.#onComplete(result);
      return;
    }
    const { frameId } = complete;
    const taker = this.#takers.shift();
    if (taker) {
      this.#taken = frameId;
      taker.resolve({ done: false, value: result });
    } else if (this.#abandoned) {
      this.#taken = frameId;
      this.#acknowledge();
    } else {
      this.#enqueue(complete);
    }
  }

  #enqueue(complete) {
    const { maxQueuedResults, maxQueuedBytes } = this.#options;
    this.#queue.push(complete);
    this.#queuedLength += complete.text.length;
    while (
      this.#queue.length > maxQueuedResults ||
      (this.#queuedLength > maxQueuedBytes && this.#queue.length > 1)
    ) {
      this.#dequeue();
      this.#dropped += 1;
    }
  }

  #dequeue() {
    const complete = this.#queue.shift();
    this.#queuedLength -= complete.text.length;
    return complete;
  }

  async #take() {
    // Whoever asks for the next one is done with those before.
    this.#acknowledge();
    if (this.#queue.length > 0) {
      const { frameId, text } = this.#dequeue();
      this.#taken = frameId;
      return { done: false, value: JSON.parse(text) };
    }
    if (this.#failure && !this.#abandoned) {
      this.#abandoned = true; // It is thrown once.
      throw this.#failure;
    }
    if (this.#over || this.#abandoned) return { done: true, value: undefined };
    return new Promise((resolve, reject) => {
      this.#takers.push({ resolve, reject });
    });
  }

  #acknowledge() {
    const news = this.#taken - this.#acked;
    if (this.#options.realtime || news <= 0) return;
    if (this.#queue.length > 0 && news < ACK_EVERY) return;
    if (this.#channel.readyState !== 'open') return;
    this.#acked = this.#taken;
    try {
      this.#channel.send(JSON.stringify({ ack: this.#acked }));
    } catch {
      // It has just closed, and nobody waits for that any more.
    }
  }
}

/** What the server says beside how it ended. */
export const sentencesOf = ({ errors }) => (Array.isArray(errors) ? errors.map(textOf) : []);

/** The error that the server's last word means; null if it is done. */
export function errorOfCompletion(result) {
  if (!result.termination_reason) return null;
  const details = sentencesOf(result);
  const code = textOf(result.termination_reason);
  const sentence = details[0] ?? `The server ended the session: ${code}.`;
  return new UploadError(code, sentence, { details, remote: true });
}
