// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs in the browser: uploads over connections that offer more than an upload.

const CHUNK_BYTES = 49152;

// A camera and a microphone that need nobody's permission.
function cameraTrack() {
  const canvas = document.createElement('canvas');
  canvas.getContext('2d').fillRect(0, 0, 10, 10);
  return canvas.captureStream(25).getVideoTracks()[0];
}
const microphoneTrack = () => new AudioContext().createMediaStreamDestination().stream.getAudioTracks()[0];

const shapes = {
  // m=video 0, m=application
  async stopped(connection, openChannels) {
    const transceiver = connection.addTransceiver('video', { direction: 'recvonly' });
    openChannels();
    await connection.setLocalDescription();
    transceiver.stop();
  },
  // m=video, m=video, m=application
  twoVideos(connection, openChannels) {
    openChannels();
    connection.addTransceiver('video', { direction: 'recvonly' });
    connection.addTransceiver('video', { direction: 'recvonly' });
  },
  // m=audio, m=video (both sent), m=video (wanted), m=application
  camera(connection, openChannels) {
    connection.addTransceiver(microphoneTrack());
    connection.addTransceiver(cameraTrack(), { direction: 'sendonly' });
    openChannels();
    connection.addTransceiver('video', { direction: 'recvonly' });
  },
  // m=video in both directions, m=application
  cameraBothWays(connection, openChannels) {
    connection.addTransceiver(cameraTrack());
    openChannels();
  },
};

const event = (target, name) => new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));

// What the film's results and the negotiation came to.
export async function upload({ url, film, shape, bundlePolicy = 'balanced' }) {
  const connection = new RTCPeerConnection({ iceServers: [], bundlePolicy });
  const channels = {};
  const opened = [];
  await shapes[shape](connection, () => {
    for (const label of ['inference', 'video_upload']) {
      channels[label] = connection.createDataChannel(label);
      channels[label].binaryType = 'arraybuffer';
      opened.push(event(channels[label], 'open'));
    }
  });
  await connection.setLocalDescription();
  while (connection.iceGatheringState !== 'complete') await event(connection, 'icegatheringstatechange');
  const offer = connection.localDescription.sdp;
  const reply = await fetch(`${url}/initialise_webrtc_worker`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      webrtc_offer: { type: 'offer', sdp: offer },
      webrtc_realtime_processing: false,
      stream_output: ['image'],
      workflow_configuration: { type: 'WorkflowConfiguration' },
    }),
  });
  const said = await reply.json();
  if (!reply.ok) throw new Error(`${reply.status}: ${said.message}\n${offer}`);
  const pictures = connection
    .getTransceivers()
    .filter(({ direction, receiver }) => direction !== 'stopped' && receiver.track.kind === 'video')
    .map(({ mid, receiver }) => event(receiver.track, 'unmute').then(() => mid));
  await connection.setRemoteDescription({ type: 'answer', sdp: said.sdp });
  await Promise.all(opened);

  let results = 0;
  const ended = new Promise((resolve) => {
    channels.inference.onmessage = ({ data }) => {
      const result = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 12)));
      if (result.processing_complete) resolve(result);
      else results += 1;
    };
  });
  const bytes = new Uint8Array(await (await fetch(film)).arrayBuffer());
  const total = Math.ceil(bytes.length / CHUNK_BYTES);
  for (let index = 0; index < total; index += 1) {
    const payload = bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
    const message = new Uint8Array(8 + payload.length);
    new Uint32Array(message.buffer, 0, 2).set([index, total]);
    message.set(payload, 8);
    channels.video_upload.send(message);
  }
  // Which section the pictures come in.
  const mid = pictures.length > 0 ? await Promise.race(pictures) : null;
  const { termination_reason: reason } = await ended;
  const lines = (sdp) => sdp.match(/^m=\w+ \d+/gm).map((line) => line.replace(/ (?!0)\d+/, ''));
  const outcome = { results, reason, mid, offered: lines(offer), answered: lines(said.sdp) };
  connection.close();
  return outcome;
}
