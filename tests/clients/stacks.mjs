// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The WebRTC stacks that there are for Node, and a client on them that takes every step by itself: it leaves when it likes,
// and has video come back, both of which upload.js does not do.

import { CHUNK_BYTES, ResultAssembler, encodeChunk } from '../../src/web/upload.js';

// Each gives its RTCPeerConnection; `offerVideo(onPacket, configuration)`, a connection that asks for video and tells of what
// comes; and `offers`, connections whose offers have a shape of their own.
export const stacks = {
  async werift() {
    const { RTCPeerConnection } = await import('werift');
    return {
      RTCPeerConnection,
      offerVideo(onPacket, configuration) {
        const connection = new RTCPeerConnection(configuration);
        connection.addTransceiver('video', { direction: 'recvonly' });
        connection.onTrack.subscribe((track) => track.onReceiveRtp.subscribe(onPacket));
        return connection;
      },
      offers: {
        'without a group': () => new RTCPeerConnection({ iceServers: [], bundlePolicy: 'disable' }),
        'without a group, with video': () => {
          const connection = new RTCPeerConnection({ iceServers: [], bundlePolicy: 'disable' });
          connection.addTransceiver('video', { direction: 'recvonly' });
          return connection;
        },
      },
    };
  },

  async wrtc() {
    const { RTCPeerConnection, nonstandard } = (await import('@roamhq/wrtc')).default;
    return {
      RTCPeerConnection,
      offerVideo(onFrame, configuration) {
        const connection = new RTCPeerConnection(configuration);
        connection.addTransceiver('video', { direction: 'recvonly' });
        connection.ontrack = ({ track }) => {
          connection.videoSink = new nonstandard.RTCVideoSink(track);
          connection.videoSink.onframe = onFrame;
        };
        return connection;
      },
      offers: {
        'with a stopped section': async () => {
          const connection = new RTCPeerConnection({ iceServers: [] });
          const transceiver = connection.addTransceiver('video', { direction: 'recvonly' });
          await connection.setLocalDescription(await connection.createOffer());
          transceiver.stop();
          return connection;
        },
        'with a microphone, a camera and video back': () => {
          const connection = new RTCPeerConnection({ iceServers: [] });
          connection.addTransceiver(new nonstandard.RTCAudioSource().createTrack());
          connection.addTransceiver(new nonstandard.RTCVideoSource().createTrack(), { direction: 'sendonly' });
          connection.addTransceiver('video', { direction: 'recvonly' });
          return connection;
        },
      },
    };
  },

  // libdatachannel. Its copy of the browsers' interface has no video, and is put around a connection that has.
  async 'node-datachannel'() {
    const native = (await import('node-datachannel')).default;
    const { RTCPeerConnection } = await import('node-datachannel/polyfill');
    return {
      RTCPeerConnection,
      offerVideo(onPacket, configuration) {
        const peerConnection = new native.PeerConnection('client', { iceServers: [] });
        const video = new native.Video('video', 'RecvOnly');
        video.addVP8Codec(96);
        const track = peerConnection.addTrack(video);
        track.onMessage(onPacket);
        const connection = new RTCPeerConnection({ ...configuration, peerConnection });
        connection.track = track; // Or it is collected.
        return connection;
      },
      offers: {},
    };
  },
};

export const event = (target, name) =>
  new Promise((resolve) => {
    target.addEventListener(name, resolve, { once: true });
  });

export class Client {
  results = [];
  #assembler = new ResultAssembler();

  constructor(connection) {
    this.connection = connection;
    this.resultsChannel = connection.createDataChannel('inference');
    this.uploadChannel = connection.createDataChannel('video_upload');
    for (const channel of [this.resultsChannel, this.uploadChannel]) channel.binaryType = 'arraybuffer';
    this.completed = new Promise((resolve) => {
      this.resultsChannel.addEventListener('message', ({ data }) => this.#onMessage(data, resolve));
    });
  }

  // By way of the drop-in endpoint.
  async connect(url, wishes = {}) {
    const { connection } = this;
    const opened = [this.resultsChannel, this.uploadChannel].map((channel) => event(channel, 'open'));
    await connection.setLocalDescription(await connection.createOffer());
    while (connection.iceGatheringState !== 'complete') await event(connection, 'icegatheringstatechange');
    this.offer = connection.localDescription.sdp;
    const reply = await fetch(`${url}/initialise_webrtc_worker`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        webrtc_offer: { type: 'offer', sdp: this.offer },
        webrtc_realtime_processing: false,
        workflow_configuration: { type: 'WorkflowConfiguration' },
        ...wishes,
      }),
    });
    const said = await reply.json();
    if (!reply.ok) throw new Error(`${reply.status}: ${said.message}\n${this.offer}`);
    this.answer = said.sdp;
    await connection.setRemoteDescription({ type: 'answer', sdp: said.sdp });
    await Promise.all(opened);
  }

  // All at once: what the network does not take yet waits in the channel.
  send(film) {
    const total = Math.ceil(film.length / CHUNK_BYTES);
    for (let index = 0; index < total; index += 1) {
      const chunk = film.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
      this.uploadChannel.send(encodeChunk(index, total, chunk));
    }
  }

  #onMessage(data, complete) {
    const whole = this.#assembler.push(data);
    if (!whole) return;
    const result = JSON.parse(whole.text);
    if (result.processing_complete) complete(result);
    else this.results.push(result);
  }
}
