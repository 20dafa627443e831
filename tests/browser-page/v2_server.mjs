// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The server's side of wire v2 over a channel that tests move by hand: it takes what has been sent so far, checks it, and
// says what the test tells it to.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

export const ID = 'c0ffee00112233445566778899aabbcc';

export const READY = {
  type: 'ready',
  upload: ID,
  have: [],
  credit: 8388608,
  max_payload: 65520,
  max_size: 524288000,
  max_connections: 8,
  resume_timeout: 60,
};

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

// CRC-32C, bit by bit: as the definition reads.
export function slowCrc32c(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

export class V2Peer {
  taken = 0; // Messages.
  said = []; // Control messages of the client's.
  received = 0; // Payload bytes over this channel.
  offsets = []; // Of the blocks, as they came.

  // `stored` is what the upload has, over all its channels: a buffer that is long enough.
  constructor(channel, stored) {
    this.channel = channel;
    this.stored = stored;
  }

  say(message) {
    this.channel.receive(JSON.stringify(message));
  }

  // Whether the client has said so until now.
  has(type) {
    this.take();
    return this.said.some((message) => message.type === type);
  }

  // All that has come is stored, and so much more may come.
  ack(credit, stored = this.received) {
    this.take();
    this.say({ type: 'ack', stored, received: this.received, credit: this.received + credit });
  }

  // Takes what has come. Gives the control messages among it.
  take() {
    const news = [];
    for (; this.taken < this.channel.sent.length; this.taken += 1) {
      const message = this.channel.sent[this.taken];
      if (typeof message === 'string') news.push(JSON.parse(message));
      else if (message.length > 1) this.#block(message); // The others are keepalives.
    }
    this.channel.drain();
    this.said.push(...news);
    return news;
  }

  #block(message) {
    const header = new DataView(message.buffer, message.byteOffset);
    assert.deepEqual([header.getUint32(0, true), message.length > 16], [1, true]);
    assert.equal(header.getUint32(4, true), slowCrc32c(message.subarray(8)));
    const offset = Number(header.getBigUint64(8, true));
    this.stored.set(message.subarray(16), offset);
    this.received += message.length - 16;
    this.offsets.push(offset);
  }
}
