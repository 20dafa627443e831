// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A signalling function gets an offer to the server and the answer back:
//
//   async ({ url, offer, wishes, key, signal }) =>
//     ({ answer: sdp, end?: () => unknown, status?: (signal) => Promise<object>,
//        further?: async ({ offer, signal }) => ({ answer: sdp, end?: () => unknown }) })
//
// `await offer(iceServers?)` makes the offer, with all candidates; `end` tells the server that the
// session is over, and is called only when this side ends it early; `status` asks the server how
// the session is, and resolves to what `GET` of its address says; `further` gets the offer of a
// further connection to the session, for an upload that has lost the one before.

import { addressOf, ask, bearer, readText } from './http.js';

/**
 * Ice servers out of a Link header (RFC 9725, section 4.6).
 * @param {string | null | undefined} header
 * @returns {RTCIceServer[]}
 */
export function parseIceLinks(header) {
  const servers = [];
  for (const [, target, rest] of (header ?? '').matchAll(
    /<([^>]*)>((?:"(?:\\.|[^"])*"|[^,"])*)/g,
  )) {
    const fields = {};
    for (const [, name, quoted, token] of rest.matchAll(
      /;\s*([\w-]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s;,"]+))/g,
    )) {
      fields[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? token;
    }
    if (fields.rel !== 'ice-server' || !/^(stun|turn)s?:/.test(target)) continue;
    const { username, credential } = fields;
    servers.push(username ? { urls: target, username, credential } : { urls: target });
  }
  return servers;
}

/**
 * Signalling as WHIP (RFC 9725) does it: an SDP offer is posted to `upload`, the reply is the
 * answer, its Location is the session. The server names ICE servers before the offer is made, in
 * reply to OPTIONS.
 * @type {import('../upload.js').Signalling}
 */
export async function whip({ url, offer, wishes, key, signal }) {
  const endpoint = addressOf('upload', url);
  const headers = bearer(key);
  let iceServers;
  if (!wishes.iceServers) {
    const options = await ask(endpoint, { method: 'OPTIONS', headers, signal }).catch((error) => {
      if (![404, 405, 501].includes(error.status)) throw error;
    });
    iceServers = parseIceLinks(options?.headers.get('Link'));
  }
  const query = endpoint.searchParams;
  query.set('realtime', String(wishes.realtime));
  for (const name of wishes.dataOutput) query.append('data_output', name);
  if (wishes.workflow) query.set('workflow_id', wishes.workflow);
  if (wishes.processingTimeout) query.set('processing_timeout', wishes.processingTimeout);
  const reply = await ask(endpoint, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/sdp' },
    body: await offer(iceServers),
    signal,
  });
  return { answer: await readText(reply), ...sessionOf(reply, endpoint, headers, sdpPost) };
}

// How an offer is posted, and where in the reply the answer is.
const sdpPost = {
  type: 'application/sdp',
  body: (sdp) => sdp,
  answer: (text) => text,
};
const jsonPost = {
  type: 'application/json',
  body: (sdp) => JSON.stringify({ webrtc_offer: { type: 'offer', sdp } }),
  answer: (text) => sdpIn(text),
};

// What can be done with the session that a reply has made, if it says which one that is. The key is
// for the server that was asked, and not for another one that it names.
function sessionOf(reply, endpoint, key, post) {
  const location = reply.headers.get('Location');
  if (!location) return {};
  const session = new URL(location, reply.url);
  const headers = session.origin === endpoint.origin ? key : {};
  const connections = new URL(session);
  connections.pathname = `${session.pathname.replace(/\/$/, '')}/connections`;
  const end = (url) => () => fetch(url, { method: 'DELETE', headers, keepalive: true });
  return {
    end: end(session),
    further: async ({ offer, signal }) => {
      const made = await ask(connections, {
        method: 'POST',
        headers: { ...headers, 'Content-Type': post.type },
        body: post.body(await offer()),
        signal,
      });
      const at = made.headers.get('Location');
      const answer = post.answer(await readText(made));
      return { answer, end: at ? end(new URL(at, made.url)) : undefined };
    },
    status: async (signal) =>
      JSON.parse(await readText(await ask(session, { headers, cache: 'no-store', signal }))),
  };
}

/**
 * Signalling in one JSON request, as clients of the drop-in endpoint do it.
 * @type {import('../upload.js').Signalling}
 */
export async function dropIn({ url, offer, wishes, key, signal }) {
  const { iceServers } = wishes;
  const headers = bearer(key);
  const endpoint = addressOf('initialise_webrtc_worker', url);
  const reply = await ask(endpoint, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/json' },
    body: JSON.stringify({
      webrtc_offer: { type: 'offer', sdp: await offer() },
      webrtc_config: iceServers ? { iceServers } : null,
      webrtc_realtime_processing: wishes.realtime,
      data_output: wishes.dataOutput,
      stream_output: [],
      processing_timeout: wishes.processingTimeout ?? null,
      workflow_configuration: {
        type: 'WorkflowConfiguration',
        ...(wishes.workflow && { workflow_id: wishes.workflow }),
      },
    }),
    signal,
  });
  const text = await readText(reply);
  return { answer: sdpIn(text), ...sessionOf(reply, endpoint, headers, jsonPost) };
}

function sdpIn(text) {
  try {
    return JSON.parse(text)?.sdp;
  } catch {
    return undefined; // Not an answer.
  }
}
