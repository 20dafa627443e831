// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A peer connection that tests move by hand, and a message with a part of a result.

export const resultMessage = (frameId, index, total, piece) => {
  const bytes = typeof piece === 'string' ? new TextEncoder().encode(piece) : piece;
  const message = new Uint8Array(12 + bytes.length);
  const header = new DataView(message.buffer);
  [frameId, index, total].forEach((value, at) => header.setUint32(4 * at, value, true));
  message.set(bytes, 12);
  return message.buffer;
};

export class FakeChannel extends EventTarget {
  readyState = 'connecting';
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  onbufferedamountlow = null; // As in browsers.
  peak = 0;
  sent = [];

  send(message) {
    if (this.readyState !== 'open') throw new DOMException('not open', 'InvalidStateError');
    this.sent.push(typeof message === 'string' ? message : message.slice());
    this.bufferedAmount += message.length;
    this.peak = Math.max(this.peak, this.bufferedAmount);
  }

  // The network takes so much.
  drain(amount = this.bufferedAmount) {
    const before = this.bufferedAmount;
    this.bufferedAmount -= Math.min(before, amount);
    const low = this.bufferedAmountLowThreshold;
    if (before > low && this.bufferedAmount <= low) {
      this.dispatchEvent(new Event('bufferedamountlow'));
    }
  }

  open() {
    this.readyState = 'open';
    this.dispatchEvent(new Event('open'));
  }

  // By this side. What follows is closed(), once the other side has done the same.
  close() {
    if (this.readyState === 'open') this.readyState = 'closing';
  }

  closed() {
    this.readyState = 'closed';
    this.dispatchEvent(new Event('close'));
  }

  receive(data) {
    this.dispatchEvent(new MessageEvent('message', { data }));
  }
}

export class FakeConnection extends EventTarget {
  static last;
  static made = []; // All of them, in their order.
  channels = {};
  connectionState = 'new';
  iceGatheringState = 'complete';
  closed = false;

  constructor(configuration) {
    super();
    this.configuration = configuration;
    FakeConnection.last = this;
    FakeConnection.made.push(this);
  }

  setConfiguration(configuration) {
    this.configuration = configuration;
  }

  createDataChannel(label, { protocol = '' } = {}) {
    this.channels[label] = new FakeChannel();
    this.channels[label].protocol = protocol;
    return this.channels[label];
  }

  async createOffer() {
    return { type: 'offer', sdp: 'v=0 offer' };
  }

  async setLocalDescription(description) {
    this.localDescription = description;
  }

  async setRemoteDescription({ sdp }) {
    if (sdp.includes('nonsense')) throw new DOMException('no', 'OperationError');
    this.become('connected');
    for (const channel of Object.values(this.channels)) channel.open();
  }

  become(state) {
    this.connectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }

  close() {
    this.closed = true;
    for (const channel of Object.values(this.channels)) channel.readyState = 'closed';
  }
}
