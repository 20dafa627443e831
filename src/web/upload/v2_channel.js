// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One data channel that speaks wire v2: hello, blocks as credit and buffer allow, and what the server says meanwhile.

import { gone, UploadError } from './errors.js';
import { BUFFER_HIGH, BUFFER_LOW, BUFFER_POLL_MS } from './pacing.js';
import { encodeBlock, errorOf, parseControl } from './v2_wire.js';

/** The channel is lost, and the upload is not: it may go on over another one. */
export class Interruption extends Error {
  /** @param {UploadError} error what it is if nothing comes of that */
  constructor(error) {
    super(error.message);
    this.error = error;
  }
}

export class V2Channel {
  #channel;
  #onAck;
  #ready = null;
  #done = null;
  #credit = 0;
  #sent = 0; // Payload bytes.
  #failure = null;
  #waiting = new Set();

  /**
   * @param {RTCDataChannel} channel
   * @param {(ack: {stored: number, received: number}) => void} onAck
   */
  constructor(channel, onAck) {
    this.#channel = channel;
    this.#onAck = onAck;
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = BUFFER_LOW;
    channel.addEventListener('open', () => this.#wake());
    channel.addEventListener('bufferedamountlow', () => this.#wake());
    channel.addEventListener('close', () => this.lose());
    channel.addEventListener('message', ({ data }) => this.#onMessage(data));
    if (channel.readyState === 'closed') this.lose();
  }

  get buffered() {
    return this.#channel.bufferedAmount;
  }

  get open() {
    return this.#channel.readyState === 'open';
  }

  /** The first message. Resolves to the server's `ready`. */
  async hello(facts) {
    await this.#until(() => this.open);
    this.#sendText({ type: 'hello', ...facts });
    return this.#until(() => this.#ready);
  }

  /** A block. Resolves when it is in the channel's buffer. */
  async send(offset, payload) {
    const fits = () => this.#sent + payload.byteLength <= this.#credit;
    await this.#until(() => fits() && this.#channel.bufferedAmount <= BUFFER_HIGH);
    this.#sent += payload.byteLength;
    this.#send(encodeBlock(offset, payload));
  }

  end(size, sha256) {
    this.#sendText({ type: 'end', size, sha256 });
  }

  /** What the server says when it has everything. */
  async done() {
    const { size, sha256 } = await this.#until(() => this.#done);
    return { size, sha256: sha256.toLowerCase() };
  }

  /** Ends the upload. True if the server is told. */
  cancel() {
    if (!this.open || this.#failure) return false;
    this.#sendText({ type: 'cancel', reason: null });
    this.lose();
    return true;
  }

  close() {
    this.lose();
    this.#channel.close();
  }

  /** Nothing comes over this channel any more. */
  lose() {
    this.#fail(new Interruption(gone()));
  }

  /** Resolves when both sides have closed it. */
  closed() {
    return new Promise((resolve) => {
      if (this.#channel.readyState === 'closed') resolve();
      else this.#channel.addEventListener('close', resolve, { once: true });
    });
  }

  #onMessage(data) {
    // The others are echoes of keepalives.
    if (typeof data !== 'string' || data.length < 2) return;
    try {
      this.#take(parseControl(data));
    } catch (error) {
      this.#fail(error);
    }
    this.#wake();
  }

  #take(message) {
    if (message === null || this.#failure) return;
    if (message.type === 'error') {
      const error = errorOf(message);
      throw message.resumable ? new Interruption(error) : error;
    }
    if (message.type === 'ready') {
      if (this.#ready) throw new UploadError('bad-answer', 'The server said "ready" twice.');
      this.#ready = message;
    } else if (!this.#ready) {
      throw new UploadError('bad-answer', `The server said "${message.type}" before "ready".`);
    }
    if (message.type === 'done') this.#done = message;
    this.#credit = Math.max(this.#credit, message.credit ?? 0);
    if (message.type === 'ack') this.#onAck(message);
  }

  #fail(error) {
    this.#failure ??= error;
    this.#wake();
  }

  #wake() {
    for (const look of [...this.#waiting]) look();
  }

  // What `condition` gives, once that is something.
  #until(condition) {
    return new Promise((resolve, reject) => {
      // @roamhq/wrtc does not say when its buffer is low.
      const silent = !('onbufferedamountlow' in this.#channel);
      const timer = silent ? setInterval(() => look(), BUFFER_POLL_MS) : undefined;
      const look = () => {
        // What has come before the channel was lost counts.
        const result = condition();
        if (!result && !this.#failure) return;
        this.#waiting.delete(look);
        clearInterval(timer);
        if (result) resolve(result);
        else reject(this.#failure);
      };
      this.#waiting.add(look);
      look();
    });
  }

  #sendText(message) {
    this.#send(JSON.stringify(message));
  }

  // Some stacks tell of a channel's end only here.
  #send(message) {
    if (this.#failure) throw this.#failure;
    try {
      this.#channel.send(message);
    } catch {
      this.lose();
      throw this.#failure;
    }
  }
}
