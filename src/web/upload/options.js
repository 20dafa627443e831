// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a client does unless it is told otherwise.

import { getLimits } from './http.js';
import { dropIn, whip } from './signalling.js';

const DEFAULTS = {
  realtime: false,
  dataOutput: ['*'],
  protocol: 'auto',
  connections: 'auto',
  signalling: whip,
  connectTimeout: 30000,
  gatherTimeout: 3000,
  disconnectTimeout: 15000,
  maxQueuedResults: 1000,
  maxQueuedBytes: 256 * 1024 * 1024,
  uploadLabel: 'video_upload',
  resultsLabel: 'inference',
};

export function withDefaults(options) {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...DEFAULTS, ...Object.fromEntries(given) };
}

/**
 * What the upload's channel speaks, and how many connections it may have. Of a server that is reached in a way of the
 * application's, only the application knows.
 */
export async function askProtocol(url, { protocol, signalling }, signal) {
  const asked = { protocol, mostConnections: Infinity };
  if (protocol !== 'auto') return asked;
  asked.protocol = 'v1';
  if (![whip, dropIn].includes(signalling)) return asked;
  // If there is an error in that, the offer has it as well, and tells of it.
  const limits = await getLimits(url, { signal }).catch(() => null);
  if (limits?.protocols.includes('v2')) asked.protocol = 'v2';
  asked.mostConnections = limits?.maxConnections ?? Infinity;
  return asked;
}
