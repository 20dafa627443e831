// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Requests to the server, and what its replies mean.

import { textOf, UploadError } from './errors.js';

// Any other below 500 is a bad request.
const STATUS_CODES = {
  401: 'unauthorized',
  402: 'payment-required',
  403: 'forbidden',
  404: 'not-found',
  405: 'not-found',
  408: 'request-timeout',
  429: 'too-many-sessions',
  503: 'unavailable',
  504: 'unavailable',
};

/**
 * The error that an HTTP reply means.
 * @param {number} status
 * @param {string} body JSON with `message` or `detail`, or anything
 * @param {string | null} [retryAfter] the header: seconds, or a date
 * @returns {UploadError}
 */
export function errorFromReply(status, body, retryAfter = null) {
  let said = null;
  let details = [];
  try {
    const { message, detail } = JSON.parse(body);
    if (typeof message === 'string') said = message;
    if (typeof detail === 'string') said ??= detail;
    if (Array.isArray(detail)) {
      details = detail.map(({ loc, msg }) => [[loc].flat().join('.'), msg].join(': '));
    }
  } catch {
    // Not JSON: some server in between.
  }
  const code = STATUS_CODES[status] ?? (status >= 500 ? 'server-error' : 'bad-request');
  const sentence = said || details[0] || `The server replied with status ${status}.`;
  return new UploadError(code, sentence, { status, details, retryAfter: secondsOf(retryAfter) });
}

// RFC 9110, section 10.2.3: seconds, or a date, which ends in GMT.
function secondsOf(retryAfter) {
  if (/^\d+$/.test(retryAfter ?? '')) return Number(retryAfter);
  const date = /GMT$/.test(retryAfter ?? '') ? Date.parse(retryAfter) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}

// No reply is longer that has a use here.
const MAX_REPLY_BYTES = 1024 * 1024;

/** The text of a reply, which may have no end. */
export async function readText({ body, url }) {
  if (!body) return '';
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > MAX_REPLY_BYTES) {
      reader.cancel().catch(() => {});
      const { host } = new URL(url);
      throw new UploadError('bad-answer', `The reply of ${host} has more than 1 MiB.`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** The address of something beside the server's base address. */
export function addressOf(path, base) {
  const url = new URL(base, globalThis.location?.href);
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return new URL(path, url);
}

export const bearer = (key) => (key ? { Authorization: `Bearer ${key}` } : {});

export async function ask(url, options) {
  let reply;
  try {
    reply = await fetch(url, options);
  } catch (cause) {
    if (options.signal?.aborted) throw options.signal.reason;
    throw new UploadError('network-failed', `${url.host} could not be reached.`, { cause });
  }
  if (!reply.ok) {
    const body = await readText(reply).catch(() => '');
    throw errorFromReply(reply.status, body, reply.headers.get('Retry-After'));
  }
  return reply;
}

/**
 * What the server accepts, or null if it does not say.
 * @param {string | URL} url the server's base address
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<import('../upload.js').Limits | null>}
 */
export async function getLimits(url, { signal } = {}) {
  let said;
  try {
    said = JSON.parse(await readText(await ask(addressOf('limits', url), { signal })));
  } catch (error) {
    const unsaid = ['not-found', 'bad-answer'];
    if (error instanceof UploadError && !unsaid.includes(error.code)) throw error;
    return null;
  }
  return {
    maxSize: positive(said?.max_size),
    maxConnections: positive(said?.max_connections),
    keysRequired: said?.keys_required === true,
    formats: textsOf(said?.formats),
    // Servers that do not say speak the first.
    protocols: Array.isArray(said?.protocols) ? textsOf(said.protocols) : ['v1'],
  };
}

const positive = (value) => (Number.isFinite(value) && value > 0 ? value : null);
const textsOf = (list) => (Array.isArray(list) ? list.map(textOf) : []);
