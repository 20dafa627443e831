// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An upload in wire v2, from its hello to the server's word that it has everything: over one channel or several, of which each
// may be lost.

import { UploadError } from './errors.js';
import { FileHash } from './file_hash.js';
import { BUFFER_LOW, MAX_UNDER_WAY } from './pacing.js';
import { Interruption, V2Channel } from './v2_channel.js';
import { Feed } from './v2_feed.js';
import { newNonce, wireText } from './v2_wire.js';
import { CHUNK_BYTES } from './wire.js';

// How long to try for a connection again before the server has said how long it waits.
const FIRST_PATIENCE_S = 30;
// So often in a row the same thing may go wrong.
const MAX_FRUITLESS = 5;
// Blocks that a channel has not brought for so long at the end go over a second one as well, if that has less than this waiting.
const LATE_MS = 500;
const IDLE_BYTES = BUFFER_LOW / 2;
const MAX_REASON_BYTES = 1024;

export class V2Upload {
  #end;
  #handlers;
  #first; // The channel that there was at the beginning.
  #channels = new Map(); // V2Channels, by what they go over.
  #joined = new Set(); // Those of them that bytes may go over.
  #source = null;
  #hash = null;
  #feed = null;
  #facts; // What a hello says.
  #settle; // How it all ends,
  #ending; // and who waits for that.
  #over = false;
  #timer;
  #sha256; // undefined until everything has been read; null if nobody knows it.
  #complete = false; // Whether that is known.
  #largest = CHUNK_BYTES;
  #stored = 0;
  #id = null; // The server's name of the upload.
  #patience = FIRST_PATIENCE_S;
  #maxConnections = 1;
  #storedAtLoss = -1;
  #fruitless = 0; // So often all channels were lost, and nothing new had been stored since the time before.

  /**
   * @param {RTCDataChannel} channel
   * @param {import('./session_end.js').SessionEnd} end
   * @param {{reconnect: (lost: UploadError, seconds: number) => Promise<RTCDataChannel>,
   *     onLeft: (channel: RTCDataChannel) => void}} handlers makes another channel within that time when there is none
   *     any more, or rejects; a channel is lost, while others go on
   */
  constructor(channel, end, handlers) {
    this.#end = end;
    this.#handlers = handlers;
    this.#first = channel;
    this.#wrap(channel);
    this.#ending = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#ending.catch(() => {}); // Nobody looks if the session has ended before.
  }

  /** Bytes that the server has stored. */
  get sent() {
    return this.#stored;
  }

  /** Changes while the server takes anything. */
  get signOfLife() {
    const buffered = [...this.#channels.values()].map((channel) => channel.buffered);
    return [this.#stored, ...buffered].join(' ');
  }

  /** Whether it can go on over another channel. */
  get resumable() {
    return this.#patience > 0;
  }

  /** Channels that there may be at the same time, as the server says. */
  get maxConnections() {
    return this.#maxConnections;
  }

  /** What a ConnectionRule wants to know. */
  get state() {
    const joined = [...this.#joined];
    return {
      stored: this.#stored,
      left: (this.#facts.size ?? Infinity) - this.#stored,
      connections: joined.length,
      full: joined.every((channel) => channel.full),
      roundTrip: Math.min(...joined.map((channel) => channel.roundTrip)),
    };
  }

  /** Whether bytes go over this channel, or over any other one. */
  has(channel) {
    return this.#joined.has(this.#channels.get(channel));
  }

  hasOther(channel) {
    return [...this.#joined].some((joined) => joined !== this.#channels.get(channel));
  }

  /**
   * Resolves when the server has all of the source, or has seen enough.
   * @param {import('./v2_source.js').FileSource | import('./v2_source.js').StreamSource} source
   * @param {{name: unknown, contentType: unknown}} facts
   * @returns {Promise<{sha256: string | null, verified: boolean}>}
   */
  async send(source, { name, contentType }) {
    this.#source = source;
    this.#facts = {
      size: source.size,
      sha256: null,
      name: wireText(name),
      content_type: wireText(contentType),
      nonce: newNonce(),
    };
    const enough = this.#end.reached();
    enough.catch(() => {}); // Only whoever comes first is listened to.
    try {
      const done = await Promise.race([this.#sendAll(), enough]);
      for (const channel of this.#channels.values()) channel.close();
      return done ?? { sha256: null, verified: false };
    } finally {
      this.#over = true;
      clearInterval(this.#timer);
      this.#hash?.stop();
    }
  }

  /** One more channel for it. */
  add(channel) {
    if (this.#joined.size > 0 && !this.#over) this.#serve(channel, this.#wrap(channel));
    else channel.close();
  }

  /** This channel is of no use any more. */
  lose(channel) {
    this.#channels.get(channel)?.lose();
  }

  /** Nothing more comes of it. */
  abandon(error) {
    this.#settle.reject(error);
  }

  /** Tells the server that nothing more comes, if it can: resolves when the server has closed the channel. */
  async cancel(reason = null) {
    this.#over = true;
    const text = reason && wireText(reason, MAX_REASON_BYTES);
    for (const channel of this.#channels.values()) {
      if (channel.cancel(text)) return channel.closed();
    }
    return undefined;
  }

  #wrap(channel) {
    const wrapped = new V2Channel(channel, {
      onNews: () => this.#pump(),
      onAck: ({ stored }) => {
        this.#stored = Math.max(this.#stored, stored);
      },
    });
    this.#channels.set(channel, wrapped);
    return wrapped;
  }

  async #sendAll() {
    this.#hash = await FileHash.start();
    if (this.#end.over) {
      this.#hash.stop();
      return null;
    }
    this.#feed = new Feed(this.#source, this.#hash, {
      onNews: () => this.#onRead(),
      onError: (error) => this.#settle.reject(error),
    });
    this.#serve(this.#first, this.#channels.get(this.#first));
    this.#timer = setInterval(() => this.#pump(), LATE_MS / 4);
    return this.#ending;
  }

  // All that goes over one channel.
  async #serve(channel, wrapped) {
    try {
      this.#join(wrapped, await wrapped.hello({ ...this.#facts, upload: this.#id }));
      this.#settle.resolve(this.#judge(await wrapped.done()));
    } catch (error) {
      await this.#leave(channel, wrapped, error).catch((problem) => this.#settle.reject(problem));
    }
  }

  #join(channel, ready) {
    this.#id = ready.upload;
    this.#patience = ready.resume_timeout;
    this.#maxConnections = ready.max_connections ?? 1;
    this.#largest = Math.min(CHUNK_BYTES, ready.max_payload);
    // Otherwise bytes are on their way over others.
    if (this.#joined.size === 0) this.#feed.reconcile(ready.have);
    this.#joined.add(channel);
    this.#pump();
  }

  // A channel is lost: the others take its blocks, or another one does, or that was the end.
  async #leave(channel, wrapped, error) {
    const wasJoined = this.#joined.delete(wrapped);
    wrapped.close();
    if (!this.#channels.delete(channel) || this.#over) return;
    const passing = error instanceof Interruption;
    const lost = passing ? error.error : error;
    const goesOn = this.#joined.size > 0;
    // What is wrong with a channel that has not joined is nothing to the others.
    if (!passing && (wasJoined || !goesOn)) throw lost;
    this.#feed.takeBack(wrapped.takeBack());
    if (goesOn) {
      this.#handlers.onLeft(channel);
      this.#pump();
    } else {
      await this.#recover(lost);
    }
  }

  // All channels are lost.
  async #recover(lost) {
    const late = [...this.#channels.values()]; // To join.
    this.#channels.clear();
    for (const other of late) other.close();
    this.#fruitless = this.#stored > this.#storedAtLoss ? 0 : this.#fruitless + 1;
    this.#storedAtLoss = this.#stored;
    if (this.#fruitless > MAX_FRUITLESS) throw lost;
    const channel = await this.#handlers.reconnect(lost, this.#patience);
    if (this.#over || this.#end.over) channel.close();
    else this.#serve(channel, this.#wrap(channel));
  }

  // Hands out blocks to the channels that have room for them.
  #pump() {
    if (!this.#feed || this.#over) return;
    for (;;) {
      if (!this.#emptiest(1) || this.#underWay >= MAX_UNDER_WAY) break;
      const size = this.#feed.offer(this.#largest);
      const channel = size > 0 && this.#emptiest(size);
      if (!channel) break;
      channel.send(this.#feed.take(size));
    }
    if (this.#feed.empty) this.#finish();
  }

  get #underWay() {
    return [...this.#joined].reduce((sum, { underWay }) => sum + underWay, 0);
  }

  #emptiest(size) {
    let best = null;
    for (const channel of this.#joined) {
      if (channel.hasRoom(size) && !(best?.buffered <= channel.buffered)) best = channel;
    }
    return best;
  }

  async #onRead() {
    this.#pump();
    if (!this.#feed.ended || this.#sha256 !== undefined || this.#over) return;
    if (this.#feed.position === 0) {
      this.#settle.reject(new UploadError('empty-upload', 'The stream had nothing in it.'));
      return;
    }
    this.#sha256 = null;
    this.#sha256 = await this.#hash.digest();
    this.#complete = true;
    this.#pump();
  }

  // All is on its way: says so, and sends twice what does not come.
  #finish() {
    for (const channel of this.#joined) {
      if (this.#complete) channel.end(this.#feed.position, this.#sha256);
      const time = performance.now() - LATE_MS;
      if (channel.late(time)) continue;
      while (channel.buffered < IDLE_BYTES) {
        const block = this.#lateBeside(channel, time);
        if (!block || !channel.hasRoom(block.bytes.length)) break;
        block.spare = true;
        channel.send(block);
      }
    }
  }

  #lateBeside(idle, time) {
    for (const channel of this.#joined) {
      const block = channel === idle ? null : channel.late(time);
      if (block) return block;
    }
    return null;
  }

  #judge({ size, sha256 }) {
    const sent = this.#feed.position;
    if (size !== sent || !this.#feed.ended) {
      const sentence = `The server has ${size} bytes, the file has ${this.#source.size ?? sent}.`;
      throw new UploadError('size-mismatch', sentence);
    }
    if (this.#sha256 && sha256 !== this.#sha256) {
      const sentence = `What the server has is not the file: its SHA-256 is ${sha256}, the file's is ${this.#sha256}.`;
      throw new UploadError('hash-mismatch', sentence);
    }
    this.#stored = size;
    return { sha256, verified: Boolean(this.#sha256) };
  }
}
