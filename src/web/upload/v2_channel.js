// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One data channel that speaks wire v2: hello, blocks as credit and buffer allow, and what the server says meanwhile.

import { gone, UploadError } from './errors.js';
import { BUFFER_HIGH, BUFFER_LOW, BUFFER_POLL_MS } from './pacing.js';
import { encodeBlock, errorOf, parseControl } from './v2_wire.js';
import { MessageMemory } from './wire.js';

// So many are measured.
const ROUND_TRIPS = 4;

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
  #handlers;
  #memory = new MessageMemory();
  #ready = null;
  #done = null;
  #credit = 0;
  #sent = 0; // Payload bytes.
  #received = 0; // Of those.
  #underWay = []; // Blocks that are not among them.
  #saidEnd = false;
  #asked = 0; // When the keepalive left that measures the round trip,
  #asks = 0; // and how many have left.
  #roundTrip = Infinity;
  #failure = null;
  #waiting = new Set();
  #poll;

  /**
   * @param {RTCDataChannel} channel
   * @param {{onAck: (ack: {stored: number}) => void, onNews: () => void}} handlers the server has more than before;
   *     it may take more, or has said something
   */
  constructor(channel, handlers) {
    this.#channel = channel;
    this.#handlers = handlers;
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = BUFFER_LOW;
    channel.addEventListener('open', () => {
      this.#askRoundTrip();
      this.#wake();
    });
    channel.addEventListener('bufferedamountlow', () => this.#wake());
    channel.addEventListener('close', () => this.lose());
    channel.addEventListener('message', ({ data }) => this.#onMessage(data));
    // @roamhq/wrtc does not say when its buffer is low.
    if (!('onbufferedamountlow' in channel)) {
      this.#poll = setInterval(() => this.#wake(), BUFFER_POLL_MS);
    }
    if (channel.readyState === 'closed') this.lose();
  }

  get buffered() {
    return this.#channel.bufferedAmount;
  }

  get open() {
    return this.#channel.readyState === 'open';
  }

  /** Whether the server has let it in, and it is not lost. */
  get joined() {
    return this.#ready !== null && this.#failure === null;
  }

  /** Whether it has as much to send as is good for it, and the server would take more. */
  get full() {
    return this.buffered >= BUFFER_LOW / 2 && this.#sent < this.#credit;
  }

  /** Payload bytes that the server has not confirmed. */
  get underWay() {
    return this.#sent - this.#received;
  }

  /** The shortest of keepalives before the first block, in milliseconds; Infinity while that is not known. */
  get roundTrip() {
    return this.#roundTrip;
  }

  /** Whether a block of so many bytes may be sent now. */
  hasRoom(bytes) {
    return (
      this.joined &&
      this.#sent + bytes <= this.#credit &&
      this.#channel.bufferedAmount <= BUFFER_HIGH
    );
  }

  /** The first message. Resolves to the server's `ready`. */
  async hello(facts) {
    await this.#until(() => this.open);
    this.#sendText({ type: 'hello', ...facts });
    return this.#until(() => this.#ready);
  }

  /**
   * A block for which there is room.
   * @param {import('./v2_feed.js').Block} block
   */
  send(block) {
    const { begin, bytes } = block;
    this.#sent += bytes.length;
    this.#underWay.push({ block, upTo: this.#sent, since: performance.now() });
    this.#send(encodeBlock(begin, bytes, this.#memory));
  }

  /** Says once that the file is complete. */
  end(size, sha256) {
    if (this.#saidEnd) return;
    this.#saidEnd = true;
    this.#sendText({ type: 'end', size, sha256 });
  }

  /** What the server says when it has everything. */
  async done() {
    const { size, sha256 } = await this.#until(() => this.#done);
    return { size, sha256: sha256.toLowerCase() };
  }

  /** Ends the upload. True if the server is told. */
  cancel(reason) {
    if (!this.open || this.#failure) return false;
    this.#sendText({ type: 'cancel', reason });
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

  /** The blocks that the server has not confirmed: those of a lost channel. */
  takeBack() {
    return this.#underWay.splice(0).map(({ block }) => block);
  }

  /** The first block that left before a time and is not confirmed, nor on its way over another channel. */
  late(time) {
    const first = this.#underWay.find(({ block }) => !block.stored && !block.spare);
    return first && first.since < time ? first.block : null;
  }

  /** Resolves when both sides have closed it. */
  closed() {
    return new Promise((resolve) => {
      if (this.#channel.readyState === 'closed') resolve();
      else this.#channel.addEventListener('close', resolve, { once: true });
    });
  }

  #onMessage(data) {
    if (typeof data !== 'string' || data.length < 2) {
      this.#onEcho();
      return;
    }
    try {
      this.#take(parseControl(data));
    } catch (error) {
      this.#fail(error);
    }
    this.#wake();
  }

  // Blocks would be in a keepalive's way. A busy machine takes its time for one: of several the shortest counts.
  #askRoundTrip() {
    if (this.#sent > 0 || this.#asks === ROUND_TRIPS) return;
    this.#asks += 1;
    this.#asked = performance.now();
    this.#send(new Uint8Array(1));
  }

  #onEcho() {
    this.#roundTrip = Math.min(this.#roundTrip, performance.now() - this.#asked);
    this.#askRoundTrip();
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
    if (message.type !== 'ack') return;
    this.#confirm(message.received);
    this.#handlers.onAck(message);
  }

  #confirm(received) {
    this.#received = Math.max(this.#received, Math.min(received, this.#sent));
    while (this.#underWay[0]?.upTo <= this.#received) this.#underWay.shift().block.stored = true;
  }

  #fail(error) {
    this.#failure ??= error;
    clearInterval(this.#poll);
    this.#wake();
  }

  #wake() {
    for (const look of [...this.#waiting]) look();
    if (!this.#failure) this.#handlers.onNews();
  }

  // What `condition` gives, once that is something.
  #until(condition) {
    return new Promise((resolve, reject) => {
      const look = () => {
        // What has come before the channel was lost counts.
        const result = condition();
        if (!result && !this.#failure) return;
        this.#waiting.delete(look);
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
    if (this.#failure) return;
    try {
      this.#channel.send(message);
    } catch {
      this.lose();
    }
  }
}
