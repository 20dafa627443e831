// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A client in wire v2 whose server is moved by hand, over all of its connections.

import assert from 'node:assert/strict';

import { uploadJs } from './upload_js.mjs';
import { FakeConnection } from './fake_connection.mjs';
import { V2Peer } from './v2_server.mjs';

const { connect } = uploadJs;

globalThis.RTCPeerConnection = FakeConnection;

export const until = async (what, condition) => {
  const end = Date.now() + 30_000;
  while (!condition()) {
    assert.ok(Date.now() < end, `not within 30 s: ${what}`);
    await new Promise(setImmediate);
  }
};

export const film = (size) => new Uint8Array(size).map((_, index) => (index * 7) ^ (index >> 9));

export class Session {
  stored; // What the server has of the upload.
  posts = 0; // Sessions asked for.
  asked = 0; // Further connections asked for.
  ended = []; // Which of those the client has ended.
  states = [];
  restarts = [];
  #peers = new Map();

  // `further` is called for each further connection, with how many there were, and may throw; `status` says how the
  // so-manieth session is.
  static async start(size, { further = () => {}, status, ...options } = {}) {
    const session = new Session();
    session.stored = new Uint8Array(size);
    session.first = FakeConnection.made.length;
    const signalling = async ({ offer }) => {
      session.posts += 1;
      const post = session.posts;
      await offer();
      return {
        answer: 'v=0 answer',
        status: status && (() => status(post)),
        further: async (exchange) => {
          session.asked += 1;
          const number = session.asked;
          await further(number);
          await exchange.offer();
          return { answer: 'v=0 answer', end: () => session.ended.push(number) };
        },
      };
    };
    session.client = await connect('http://server.invalid/', {
      signalling,
      protocol: 'v2',
      onState: (state) => session.states.push(state),
      onRestart: ({ error, times }) => session.restarts.push([error.code, times]),
      ...options,
    });
    return session;
  }

  get connections() {
    return FakeConnection.made.slice(this.first);
  }

  // The server's side of a connection, when the client has said hello over it.
  async peer(number) {
    await until(`connection ${number}`, () => this.connections.length > number);
    const { channels } = this.connections[number];
    await until('its channel', () => channels.video_upload);
    if (!this.#peers.has(number)) {
      this.#peers.set(number, new V2Peer(channels.video_upload, this.stored));
    }
    const peer = this.#peers.get(number);
    await until('a hello', () => peer.has('hello'));
    return peer;
  }
}
