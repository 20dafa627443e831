// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A peer connection's way from nothing to open channels, and a further one for a session that has lost its own.

import { cancelled, gone, UploadError } from './errors.js';
import { SessionEnd } from './session_end.js';
import { V2_PROTOCOL } from './v2_wire.js';

// So long may one try for a further connection take.
const FURTHER_TIMEOUT_MS = 15000;
// An upload that can go on over another connection waits no longer for one that is interrupted.
export const IMPATIENCE_MS = 3000;

/** Calls `abort` now or later; the function that is returned takes that back. */
export function onAbort(signal, abort) {
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  return () => signal?.removeEventListener('abort', abort);
}

/** The SDP of an offer with this side's candidates. */
export async function makeOffer(connection, end, gatherTimeout) {
  await connection.setLocalDescription(await connection.createOffer());
  const late = performance.now() + gatherTimeout;
  while (connection.iceGatheringState !== 'complete' && performance.now() < late) {
    await end.next(connection, 'icegatheringstatechange', late - performance.now());
  }
  return connection.localDescription.sdp;
}

/** Resolves when the channels are open. */
export async function takeAnswer(connection, answer, channels, end) {
  if (typeof answer !== 'string' || !answer.startsWith('v=')) {
    throw new UploadError('bad-answer', 'The server replied with something that is no answer.');
  }
  try {
    await connection.setRemoteDescription({ type: 'answer', sdp: answer });
  } catch (cause) {
    if (end.failure) throw end.failure;
    throw new UploadError('bad-answer', "The server's answer was not understood.", { cause });
  }
  for (const channel of channels) {
    if (channel.readyState === 'connecting') await end.next(channel, 'open');
  }
  // Ended meanwhile, which closes the channels as well.
  if (end.failure) throw end.failure;
}

/** Calls `lose` once when a connection is over, or interrupted for too long; the function that is returned stops that. */
export function watchConnection(connection, lose) {
  let timer;
  const look = () => {
    const { connectionState } = connection;
    clearTimeout(timer);
    if (['failed', 'closed'].includes(connectionState)) lose();
    if (connectionState === 'disconnected') timer = setTimeout(lose, IMPATIENCE_MS);
  };
  connection.addEventListener('connectionstatechange', look);
  return () => {
    clearTimeout(timer);
    connection.removeEventListener('connectionstatechange', look);
  };
}

/**
 * A further connection for a session, with a channel for the upload in wire v2; and with one for results, if those shall come
 * over it.
 * @param {(exchange: {offer: () => Promise<string>, signal: AbortSignal}) => Promise<{answer: string | undefined,
 *     end?: () => unknown}>} further the signalling's
 * @param {{iceServers?: RTCIceServer[], gatherTimeout: number, uploadLabel: string, resultsLabel: string}} options
 * @param {{signal: AbortSignal, withResults: boolean}} more
 * @returns {Promise<{connection: RTCPeerConnection, results?: RTCDataChannel, upload: RTCDataChannel,
 *     end?: () => unknown}>} `end` tells the server that the connection is not needed any more
 */
export async function connectFurther(further, options, { signal, withResults }) {
  const connection = new RTCPeerConnection({ iceServers: options.iceServers ?? [] });
  const end = new SessionEnd();
  const abort = new AbortController();
  const sentence = `No connection within ${FURTHER_TIMEOUT_MS / 1000} seconds.`;
  const late = () => end.settle(new UploadError('connect-timeout', sentence));
  const timer = setTimeout(late, FURTHER_TIMEOUT_MS);
  const stopListening = onAbort(signal, () => end.settle(cancelled()));
  connection.addEventListener('connectionstatechange', () => {
    if (connection.connectionState === 'failed') end.settle(gone());
  });
  let tell = null; // The server, that nothing comes of it.
  try {
    const results = withResults ? connection.createDataChannel(options.resultsLabel) : undefined;
    const upload = connection.createDataChannel(options.uploadLabel, { protocol: V2_PROTOCOL });
    const exchange = async () => {
      const offer = () => makeOffer(connection, end, options.gatherTimeout);
      const reply = await further({ offer, signal: abort.signal });
      tell = reply.end;
      return reply.answer;
    };
    const answer = await Promise.race([exchange(), end.reached()]);
    await takeAnswer(connection, answer, withResults ? [results, upload] : [upload], end);
    return { connection, results, upload, end: tell };
  } catch (error) {
    abort.abort(error);
    connection.close();
    Promise.resolve(tell?.()).catch(() => {}); // It will notice by itself.
    throw error;
  } finally {
    clearTimeout(timer);
    stopListening();
  }
}
