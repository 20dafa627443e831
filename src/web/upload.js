// SPDX-License-Identifier: LGPL-2.1-or-later

/**
 * Uploads a video file over a WebRTC data channel, and gives what the server finds in it, frame by
 * frame. An ES module without dependencies, for any page:
 *
 *     const client = await connect('https://video.example.org/');
 *     const uploading = client.upload(file, { onProgress: ({ fraction }) => show(fraction) });
 *     for await (const result of client.results) console.log(result.serialized_output_data);
 *     await uploading;
 *
 * Everything that goes wrong is an UploadError, whose `code` a program can tell apart and whose
 * `message` is a sentence. The protocol is described in docs/protocol.md, this module in
 * docs/javascript.md; the types of all of it are in upload.d.ts.
 *
 * @module webrtcupload
 */

/** Bytes of the file in each message but the last. What a peer accepts by default is 64 KiB. */
export const CHUNK_BYTES = 49152;
const CHUNK_HEADER_BYTES = 8;
const RESULT_HEADER_BYTES = 12;

// Sending stops above the first and goes on below the second. A longer queue is slower: its bytes
// have left the processor's cache when their turn comes. (`./dev bench upload_js`)
const BUFFER_HIGH = 256 * 1024;
const BUFFER_LOW = 128 * 1024;

// So many chunks are read from the file at once. Reading has a price for each call.
const CHUNKS_PER_READ = 32;

// The longest result that is put together, and how many may be incomplete at the same time.
const MAX_RESULT_BYTES = 32 * 1024 * 1024;
const MAX_INCOMPLETE_RESULTS = 8;

// A window of results is acknowledged in few messages, but never so late that the server waits.
const ACK_EVERY = 8;

// When the server ends a channel, the reason is on its way on another one.
const REASON_GRACE_MS = 5000;
const PROGRESS_INTERVAL_MS = 200;
// How often the buffer is looked at where no event tells of it, as in @roamhq/wrtc.
const BUFFER_POLL_MS = 10;

// Without a sign of life for so long the server is asked whether the session still runs; then less
// and less often, up to the second. While the connection is interrupted, it is asked every second.
const SILENCE_MS = 1500;
const LONGEST_SILENCE_MS = 12000;
const INTERRUPTED_MS = 1000;
const LOOK_MS = 250;
const STATUS_TIMEOUT_MS = 4000;
// A server that is restarted, or a proxy before it, may refuse a request and be there again.
const ENOUGH_REFUSALS = 3;

/** What went wrong: `code` for programs, `message` for people. */
export class UploadError extends Error {
  /**
   * @param {string} code one of the list in docs/javascript.md
   * @param {string} message a sentence
   * @param {{status?: number, retryAfter?: number, details?: string[], remote?: boolean,
   *     cause?: unknown}} [more] the HTTP status if that was it; after how many seconds the server
   *     wants to be asked again; further sentences of the server's; whether the server ended the
   *     session, which then chose the code
   */
  constructor(code, message, { status, retryAfter, details = [], remote = false, cause } = {}) {
    super(message, { cause });
    Object.assign(this, { name: 'UploadError', code, status, retryAfter, details, remote });
  }
}

// --- formats ----------------------------------------------------------------------------------

/**
 * A chunk as it goes over the wire: `[index u32 LE][total u32 LE][payload]`.
 * @param {number} index
 * @param {number} total
 * @param {Uint8Array} payload
 * @returns {Uint8Array}
 */
export function encodeChunk(index, total, payload) {
  const message = new Uint8Array(CHUNK_HEADER_BYTES + payload.byteLength);
  const header = new DataView(message.buffer);
  header.setUint32(0, index, true);
  header.setUint32(4, total, true);
  message.set(payload, CHUNK_HEADER_BYTES);
  return message;
}

/**
 * Puts results together out of messages `[frame_id][chunk][total][piece]`, in whatever order they
 * come. What it holds is bounded, whatever the server sends.
 */
export class ResultAssembler {
  #incomplete = new Map(); // frame id -> { pieces, missing, bytes }
  #maxBytes;

  constructor(maxBytes = MAX_RESULT_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /**
   * @param {ArrayBuffer | Uint8Array} message
   * @returns {{frameId: number, text: string} | null} the result that this message completes
   * @throws {UploadError} `bad-result`
   */
  push(message) {
    // werift gives Buffers, whatever `binaryType` says.
    const bytes = ArrayBuffer.isView(message) ? message : new Uint8Array(message);
    if (message.byteLength <= RESULT_HEADER_BYTES) {
      throw bad(`a message of ${message.byteLength} bytes is too short to be a part of a result`);
    }
    const header = new DataView(bytes.buffer, bytes.byteOffset);
    const frameId = header.getUint32(0, true);
    const index = header.getUint32(4, true);
    const total = header.getUint32(8, true);
    const piece = bytes.subarray(RESULT_HEADER_BYTES);
    if (index >= total) throw bad(`part ${index} of a result of ${total} parts`);
    if (total === 1) return { frameId, text: decode([piece]) };

    let result = this.#incomplete.get(frameId);
    if (!result) {
      if (total * RESULT_HEADER_BYTES > this.#maxBytes) throw bad(`a result of ${total} parts`);
      if (this.#incomplete.size >= MAX_INCOMPLETE_RESULTS) throw bad('too many unfinished results');
      result = { pieces: new Array(total), missing: total, bytes: 0 };
      this.#incomplete.set(frameId, result);
    }
    if (result.pieces.length !== total) throw bad(`result ${frameId} changed its number of parts`);
    if (result.pieces[index]) return null; // Again.
    result.bytes += piece.byteLength;
    if (result.bytes > this.#maxBytes) throw bad(`a result of more than ${this.#maxBytes} bytes`);
    result.pieces[index] = piece;
    result.missing -= 1;
    if (result.missing > 0) return null;
    this.#incomplete.delete(frameId);
    return { frameId, text: decode(result.pieces) };
  }
}

// As one stream, since a character may lie across two pieces.
function decode(pieces) {
  const decoder = new TextDecoder();
  const stream = true;
  return pieces.map((piece) => decoder.decode(piece, { stream })).join('') + decoder.decode();
}

const bad = (what) => new UploadError('bad-result', `The server sent ${what}.`);

// Of anything out of JSON. String() would call what an object in it names toString.
const textOf = (value) =>
  typeof value === 'object' ? Object.prototype.toString.call(value) : String(value);

/** Speed and time left, from how much was done by when. The speed is that of the last seconds. */
export class ProgressMeter {
  #samples = [];
  #total;
  #windowMs;

  constructor(total, windowMs = 3000) {
    this.#total = total;
    this.#windowMs = windowMs;
  }

  /**
   * @param {number} now in milliseconds, of any clock that only goes forward
   * @param {number} done
   * @returns {{sent: number, total: number, fraction: number, bytesPerSecond: number | null,
   *     secondsLeft: number | null}} `null` = not known yet, or not at this speed
   */
  update(now, done) {
    const samples = this.#samples;
    samples.push({ now, done });
    while (samples.length > 2 && samples[1].now <= now - this.#windowMs) samples.shift();
    const elapsed = now - samples[0].now;
    const speed = elapsed > 0 ? ((done - samples[0].done) * 1000) / elapsed : null;
    const left = this.#total - done;
    return {
      sent: done,
      total: this.#total,
      fraction: this.#total > 0 ? done / this.#total : 1,
      bytesPerSecond: speed,
      secondsLeft: left <= 0 ? 0 : speed > 0 ? left / speed : null,
    };
  }
}

// --- HTTP -------------------------------------------------------------------------------------

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

/** The address of something beside the server's base address. */
function addressOf(path, base) {
  const url = new URL(base, globalThis.location?.href);
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return new URL(path, url);
}

const bearer = (key) => (key ? { Authorization: `Bearer ${key}` } : {});

async function ask(url, options) {
  let reply;
  try {
    reply = await fetch(url, options);
  } catch (cause) {
    if (options.signal?.aborted) throw options.signal.reason;
    throw new UploadError('network-failed', `${url.host} could not be reached.`, { cause });
  }
  if (!reply.ok) {
    const body = await reply.text().catch(() => '');
    throw errorFromReply(reply.status, body, reply.headers.get('Retry-After'));
  }
  return reply;
}

/**
 * What the server accepts, or null if it does not say.
 * @param {string | URL} url the server's base address
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<{maxSize: number | null, keysRequired: boolean, formats: string[]} | null>}
 */
export async function getLimits(url, { signal } = {}) {
  let said;
  try {
    said = await (await ask(addressOf('limits', url), { signal })).json();
  } catch (error) {
    if (error instanceof UploadError && error.code !== 'not-found') throw error;
    return null;
  }
  return {
    maxSize: Number.isFinite(said?.max_size) && said.max_size > 0 ? said.max_size : null,
    keysRequired: said?.keys_required === true,
    formats: Array.isArray(said?.formats) ? said.formats.map(textOf) : [],
  };
}

// --- signalling -------------------------------------------------------------------------------
//
// A signalling function gets an offer to the server and the answer back:
//
//   async ({ url, offer, wishes, key, signal }) =>
//     ({ answer: sdp, end?: () => unknown, status?: (signal) => Promise<object> })
//
// `await offer(iceServers?)` makes the offer, with all candidates; `end` tells the server that the
// session is over, and is called only when this side ends it early; `status` asks the server how
// the session is, and resolves to what `GET` of its address says.

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
 * @type {import('./upload.js').Signalling}
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
  return { answer: await reply.text(), ...sessionOf(reply, headers) };
}

// What can be done with the session that a reply has made, if it says which one that is.
function sessionOf({ headers, url }, authorization) {
  const location = headers.get('Location');
  if (!location) return {};
  const session = new URL(location, url);
  return {
    end: () => fetch(session, { method: 'DELETE', headers: authorization, keepalive: true }),
    status: async (signal) =>
      (await ask(session, { headers: authorization, cache: 'no-store', signal })).json(),
  };
}

/**
 * Signalling in one JSON request, as clients of the drop-in endpoint do it.
 * @type {import('./upload.js').Signalling}
 */
export async function dropIn({ url, offer, wishes, key, signal }) {
  const { iceServers } = wishes;
  const headers = bearer(key);
  const reply = await ask(addressOf('initialise_webrtc_worker', url), {
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
  const said = await reply.json().catch(() => null);
  return { answer: said?.sdp, ...sessionOf(reply, headers) };
}

// --- whether the session still runs -----------------------------------------------------------

// Asks the server when nothing comes from it, since a peer that has died says nothing and ICE takes
// its time to notice. Servers that do not speak of their sessions are left alone: nothing is
// concluded before the first good answer.
class SessionWatch {
  #status;
  #signOfLife;
  #onEnd;
  #timer;
  #sign;
  #quietSince = performance.now(); // No sign since, and not asked.
  #patience = SILENCE_MS;
  #known = false;
  #interrupted = false;
  #refusals = 0;
  #asking = null; // A promise while an answer is waited for.
  #question = null; // Its AbortController.

  constructor(status, signOfLife, onEnd) {
    this.#status = status;
    this.#signOfLife = signOfLife;
    this.#onEnd = onEnd;
    this.#sign = signOfLife();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#ask();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
    this.#question?.abort();
  }

  set interrupted(interrupted) {
    this.#interrupted = interrupted;
    if (interrupted) this.#ask();
  }

  /** When the connection is lost for certain: the error that the server knows of, or null. */
  async lost() {
    let error = null;
    this.#onEnd = (told) => {
      error = told;
    };
    this.#interrupted = true;
    // A session that has just lost its process, or its client, may take a moment to be ended.
    for (let i = 0; i < 3 && this.#timer; i += 1) {
      if (i > 0) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      this.#refusals = ENOUGH_REFUSALS;
      await this.#ask();
    }
    this.stop();
    return error;
  }

  #look() {
    const sign = this.#signOfLife();
    const now = performance.now();
    if (sign !== this.#sign) {
      this.#sign = sign;
      this.#quietSince = now;
      this.#patience = SILENCE_MS;
      this.#refusals = 0;
      return;
    }
    const soon = this.#interrupted || this.#refusals > 0;
    if (now - this.#quietSince < (soon ? INTERRUPTED_MS : this.#patience)) return;
    this.#ask();
  }

  #ask() {
    if (!this.#timer) return null;
    this.#asking ??= this.#takeAnswer().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #takeAnswer() {
    const question = new AbortController();
    this.#question = question;
    const timer = setTimeout(() => question.abort(), STATUS_TIMEOUT_MS);
    let status = null;
    let problem = null;
    try {
      status = await this.#status(question.signal);
    } catch (error) {
      problem = error;
    }
    clearTimeout(timer);
    this.#quietSince = performance.now();
    if (!this.#timer) return;
    const error = problem ? this.#judge(problem, question.signal.aborted) : this.#read(status);
    if (error) {
      this.stop();
      this.#onEnd(error);
    }
  }

  #read(status) {
    this.#refusals = 0;
    if (status?.state === 'running') {
      this.#known = true;
      this.#patience = Math.min(2 * this.#patience, LONGEST_SILENCE_MS);
      return null;
    }
    if (status?.state !== 'ended') {
      this.stop();
      return null;
    }
    // That the server has lost us is no news; that it was done, and we do not know of what, neither.
    if (status.status !== 'failed' || status.code === 'peer-gone') return gone();
    const code = textOf(status.code);
    return new UploadError(code, textOf(status.message ?? code), { remote: true });
  }

  #judge(problem, late) {
    const { status, code } = problem;
    const refused = code === 'network-failed' || (status >= 502 && status <= 504);
    if (refused && globalThis.navigator?.onLine !== false) {
      this.#refusals += 1;
      if (this.#known && this.#refusals >= ENOUGH_REFUSALS) return serverGone(problem);
    } else if (status === 404) {
      // Of several servers behind one address another one may have been asked.
      if (this.#known && this.#interrupted) return serverGone(problem);
      // It may just not speak of its sessions.
      if (!this.#known) this.#refusals += 1;
      if (!this.#known && this.#refusals >= ENOUGH_REFUSALS) this.stop();
    } else if (!late && !refused) {
      this.stop(); // It has nothing to say to us.
    }
    return null;
  }
}

// --- the client -------------------------------------------------------------------------------

const DEFAULTS = {
  realtime: false,
  dataOutput: ['*'],
  signalling: whip,
  connectTimeout: 30000,
  gatherTimeout: 3000,
  disconnectTimeout: 15000,
  maxQueuedResults: 1000,
  uploadLabel: 'video_upload',
  resultsLabel: 'inference',
};

/** A connection for one upload and its results. Made by connect(). */
export class UploadClient {
  #options;
  #connection;
  #uploadChannel;
  #resultsChannel;
  #abort = new AbortController();
  #endSession = null;
  #watch = null;
  #losing = false;
  #messages = 0;
  #state = 'connecting';
  #uploading = false;
  #delivered = false;
  #finished = false;
  #failure = null;
  #waiting = new Set();
  #timers = new Map();
  #stopListening = () => {};

  #completion;
  #settleCompletion;

  #assembler;
  #queue = [];
  #takers = [];
  #abandoned = false; // Nobody wants the results any more.
  #taken = 0;
  #acked = 0;
  #dropped = 0;

  /** Use connect(). */
  constructor(options) {
    if (!globalThis.RTCPeerConnection) {
      throw new UploadError('unsupported', 'This browser has no WebRTC.');
    }
    this.#options = options;
    this.#assembler = new ResultAssembler(options.maxResultBytes);
    this.#completion = new Promise((resolve, reject) => {
      this.#settleCompletion = { resolve, reject };
    });
    this.#completion.catch(() => {}); // Whoever wants to know looks at it.

    const connection = new RTCPeerConnection({ iceServers: options.iceServers ?? [] });
    this.#connection = connection;
    this.#resultsChannel = connection.createDataChannel(options.resultsLabel);
    this.#uploadChannel = connection.createDataChannel(options.uploadLabel);
    for (const channel of [this.#resultsChannel, this.#uploadChannel]) {
      channel.binaryType = 'arraybuffer';
    }
    this.#uploadChannel.bufferedAmountLowThreshold = BUFFER_LOW;
    connection.addEventListener('connectionstatechange', () => this.#onConnectionState());
    this.#resultsChannel.addEventListener('message', ({ data }) => this.#onResultMessage(data));
    this.#resultsChannel.addEventListener('close', () => this.#onResultsClosed());
    this.#uploadChannel.addEventListener('close', () => this.#onUploadClosed());
    this.#stopListening = onAbort(options.signal, () => this.#fail(cancelled()));
  }

  /**
   * Connects to a server. Rejects with an UploadError.
   * @param {string | URL} url the server's base address
   * @param {import('./upload.js').ConnectOptions} [options]
   * @returns {Promise<UploadClient>}
   */
  static async connect(url, options = {}) {
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    let client;
    try {
      client = new UploadClient({ ...DEFAULTS, ...Object.fromEntries(given) });
      await client.#negotiate(url);
      return client;
    } catch (error) {
      const told = error instanceof UploadError ? error : unexpected(error);
      client?.#fail(told);
      throw client?.#failure ?? told;
    }
  }

  /** "connecting", "connected", "interrupted" (it may come back), "ended". */
  get state() {
    return this.#state;
  }

  /** Results that nobody took in time: the oldest go when too many wait. */
  get dropped() {
    return this.#dropped;
  }

  /**
   * Settles when the server has said that it is done. Rejects with the UploadError that ended the
   * session early.
   * @returns {Promise<{terminationReason: null, errors: string[]}>}
   */
  get completion() {
    return this.#completion;
  }

  /**
   * The results, for one reader. Ends after the last; throws, after all that came, what ended the
   * session early. Taking results holds a server back that is not realtime: it stays a window ahead.
   * @returns {AsyncIterableIterator<object>}
   */
  get results() {
    const iterator = {
      [Symbol.asyncIterator]: () => iterator,
      next: () => this.#takeResult(),
      return: async () => {
        this.#abandoned = true;
        this.#queue = [];
        this.#acknowledge();
        return { done: true, value: undefined };
      },
    };
    return iterator;
  }

  /**
   * Uploads a file; once per client. Resolves when the server has all of it.
   * @param {Blob} file read in slices, never as a whole
   * @param {import('./upload.js').UploadOptions} [options]
   * @returns {Promise<void>}
   */
  upload(file, options = {}) {
    const uploading = this.#upload(file, options);
    // Who reads the results is told there. Node would end the process before they look at this.
    uploading.catch(() => {});
    return uploading;
  }

  async #upload(file, { signal, onProgress }) {
    if (this.#failure) throw this.#failure;
    if (this.#uploading || this.#finished) {
      throw new UploadError('already-used', 'One connection takes one upload.');
    }
    if (file.size === 0) throw new UploadError('empty-upload', 'The file is empty.');
    this.#uploading = true;

    const channel = this.#uploadChannel;
    const meter = new ProgressMeter(file.size);
    let handedOver = 0;
    const report = (done) => tell(onProgress, meter.update(performance.now(), done));
    const timer = setInterval(
      () => report(Math.max(0, handedOver - channel.bufferedAmount)),
      PROGRESS_INTERVAL_MS,
    );
    const stopListening = onAbort(signal, () => this.#fail(cancelled()));
    try {
      report(0);
      for await (const [index, total, payload] of chunksOf(file)) {
        await this.#room(channel);
        if (this.#failure) throw this.#failure;
        if (this.#finished) break; // The server has seen enough.
        await this.#send(channel, encodeChunk(index, total, payload));
        handedOver += payload.byteLength;
      }
      if (!this.#finished) {
        // It comes back when everything before it has arrived.
        const echo = this.#next(channel, 'message');
        echo.catch(() => {}); // Should it not come to the next line but one.
        await this.#send(channel, new Uint8Array(1));
        await echo;
      }
      this.#delivered = true;
      report(file.size);
    } catch (error) {
      this.#fail(error instanceof UploadError ? error : unexpected(error));
      throw this.#failure;
    } finally {
      clearInterval(timer);
      stopListening();
    }
  }

  /** Ends the session. What is under way rejects with `cancelled`. */
  close() {
    this.#fail(cancelled());
  }

  async #negotiate(url) {
    const { signalling, connectTimeout, gatherTimeout, key, ...wishes } = this.#options;
    const connection = this.#connection;
    const channels = [this.#resultsChannel, this.#uploadChannel];
    if (this.#failure) throw this.#failure;
    this.#startTimer('connect', connectTimeout, () => {
      const sentence = `No connection within ${connectTimeout / 1000} seconds.`;
      return new UploadError('connect-timeout', sentence);
    });
    const offer = async (iceServers) => {
      if (iceServers?.length) connection.setConfiguration({ iceServers });
      await connection.setLocalDescription(await connection.createOffer());
      const end = performance.now() + gatherTimeout;
      while (connection.iceGatheringState !== 'complete' && performance.now() < end) {
        await this.#next(connection, 'icegatheringstatechange', end - performance.now());
      }
      return connection.localDescription.sdp;
    };

    const { signal } = this.#abort;
    const exchange = async () => {
      const { answer, end, status } = await signalling({ url, offer, wishes, key, signal });
      this.#endSession = end;
      // Somebody has given up in the meantime, and the server should know.
      if (this.#failure) this.#tellServer();
      else if (status) this.#watchSession(status);
      return answer;
    };
    const answer = await Promise.race([exchange(), this.#ending()]);
    if (typeof answer !== 'string' || !answer.startsWith('v=')) {
      throw new UploadError('bad-answer', 'The server replied with something that is no answer.');
    }
    try {
      await connection.setRemoteDescription({ type: 'answer', sdp: answer });
    } catch (cause) {
      if (this.#failure) throw this.#failure;
      throw new UploadError('bad-answer', "The server's answer was not understood.", { cause });
    }
    for (const channel of channels) {
      if (channel.readyState === 'connecting') await this.#next(channel, 'open');
    }
    // Ended meanwhile, which closes the channels as well.
    if (this.#failure) throw this.#failure;
    this.#stopTimer('connect');
    this.#setState('connected');
  }

  // Until there is room in the channel's buffer, or the session ends.
  async #room(channel) {
    const poll = 'onbufferedamountlow' in channel ? undefined : BUFFER_POLL_MS;
    while (channel.bufferedAmount > BUFFER_HIGH && !this.#finished) {
      await this.#next(channel, 'bufferedamountlow', poll);
    }
  }

  // Where the channel has closed, the reason is on its way. Some stacks tell of the end only here.
  async #send(channel, message) {
    if (channel.readyState === 'open') {
      try {
        channel.send(message);
        return;
      } catch (cause) {
        const error = () => (channel.readyState === 'open' ? unexpected(cause) : gone());
        this.#startTimer('reason', REASON_GRACE_MS, error);
      }
    }
    await this.#ending();
  }

  #watchSession(status) {
    // What the buffer holds changes while the server takes anything.
    const signOfLife = () => `${this.#uploadChannel.bufferedAmount} ${this.#messages}`;
    this.#watch = new SessionWatch(status, signOfLife, (error) => this.#end(error));
  }

  // --- results

  #onResultMessage(data) {
    this.#messages += 1;
    if (this.#finished || typeof data === 'string') return;
    let complete = null;
    let result = null;
    try {
      complete = this.#assembler.push(data);
      if (complete) result = JSON.parse(complete.text);
    } catch (error) {
      this.#fail(error instanceof UploadError ? error : bad('a result that is not JSON'));
      return;
    }
    if (result === null || typeof result !== 'object') return;
    if (result.processing_complete) {
      this.#complete(result);
      return;
    }
    const { frameId } = complete;
    const taker = this.#takers.shift();
    if (taker) {
      this.#taken = frameId;
      taker.resolve({ done: false, value: result });
    } else if (this.#abandoned) {
      this.#taken = frameId;
      this.#acknowledge();
    } else {
      this.#queue.push({ frameId, result });
      if (this.#queue.length > this.#options.maxQueuedResults) {
        this.#queue.shift();
        this.#dropped += 1;
      }
    }
  }

  async #takeResult() {
    // Whoever asks for the next one is done with those before.
    this.#acknowledge();
    if (this.#queue.length > 0) {
      const { frameId, result } = this.#queue.shift();
      this.#taken = frameId;
      return { done: false, value: result };
    }
    if (this.#failure && !this.#abandoned) {
      this.#abandoned = true; // It is thrown once.
      throw this.#failure;
    }
    if (this.#finished || this.#abandoned) return { done: true, value: undefined };
    return new Promise((resolve, reject) => {
      this.#takers.push({ resolve, reject });
    });
  }

  #acknowledge() {
    const news = this.#taken - this.#acked;
    if (this.#options.realtime || news <= 0) return;
    if (this.#queue.length > 0 && news < ACK_EVERY) return;
    if (this.#resultsChannel.readyState !== 'open') return;
    this.#acked = this.#taken;
    try {
      this.#resultsChannel.send(JSON.stringify({ ack: this.#acked }));
    } catch {
      // It has just closed, and nobody waits for that any more.
    }
  }

  // --- ends

  #complete({ termination_reason: reason, errors }) {
    const sentences = Array.isArray(errors) ? errors.map(textOf) : [];
    if (reason) {
      const code = textOf(reason);
      const sentence = sentences[0] ?? `The server ended the session: ${code}.`;
      this.#fail(new UploadError(code, sentence, { details: sentences, remote: true }));
      return;
    }
    this.#finished = true;
    this.#settleCompletion.resolve({ terminationReason: null, errors: sentences });
    this.#wake();
    // How the server knows that everything has arrived. Its side closes next, and then all of it.
    this.#resultsChannel.close();
    this.#startTimer('goodbye', REASON_GRACE_MS, () => null);
  }

  #fail(error) {
    if (this.#finished) return;
    this.#finished = true;
    this.#failure = error;
    this.#settleCompletion.reject(error);
    this.#wake();
    this.#shutDown();
    if (!error.remote && !['peer-gone', 'server-gone'].includes(error.code)) this.#tellServer();
  }

  async #tellServer() {
    try {
      await this.#endSession?.();
    } catch {
      // It will notice by itself.
    }
  }

  #wake() {
    for (const waiter of [...this.#waiting]) waiter();
    for (const { resolve, reject } of this.#takers.splice(0)) {
      if (this.#failure && !this.#abandoned) {
        this.#abandoned = true;
        reject(this.#failure);
      } else {
        resolve({ done: true, value: undefined });
      }
    }
  }

  #shutDown() {
    for (const name of [...this.#timers.keys()]) this.#stopTimer(name);
    this.#abort.abort(this.#failure);
    this.#stopListening();
    this.#watch?.stop();
    this.#connection.close();
    this.#setState('ended');
  }

  #onConnectionState() {
    const { connectionState } = this.#connection;
    if (this.#state === 'connecting') {
      if (connectionState === 'failed') {
        const sentence = 'No way was found to reach the server for the upload.';
        this.#lose(new UploadError('network-failed', sentence));
      }
    } else if (connectionState === 'connected') {
      this.#stopTimer('interruption');
      this.#setState('connected');
      if (this.#watch) this.#watch.interrupted = false;
    } else if (connectionState === 'disconnected') {
      this.#setState('interrupted');
      this.#startTimer('interruption', this.#options.disconnectTimeout, gone);
      if (this.#watch) this.#watch.interrupted = true;
    } else if (connectionState === 'failed') {
      this.#lose(gone());
    }
  }

  #onResultsClosed() {
    this.#lose(gone());
  }

  // The connection is over. Why, the server may know better than this side, which has `error`.
  async #lose(error) {
    if (this.#losing) return;
    this.#losing = true;
    const told = this.#finished ? null : await this.#watch?.lost();
    this.#end(told ?? error);
  }

  #onUploadClosed() {
    // After the upload that is normal; before, the reason is about to come.
    if (!this.#finished && !this.#delivered) this.#startTimer('reason', REASON_GRACE_MS, gone);
  }

  // The connection is over: with success if the server had said so before.
  #end(error) {
    if (this.#finished) this.#shutDown();
    else this.#fail(error);
  }

  // --- small things

  // Resolves at the event, when the server is done, or after a time; rejects when the session fails.
  #next(target, name, timeout) {
    return new Promise((resolve, reject) => {
      const timer = timeout && setTimeout(() => settle(), timeout);
      const settle = (event) => {
        target.removeEventListener(name, settle);
        this.#waiting.delete(settle);
        clearTimeout(timer);
        if (this.#failure) reject(this.#failure);
        else resolve(event);
      };
      if (this.#finished) {
        settle();
        return;
      }
      target.addEventListener(name, settle);
      this.#waiting.add(settle);
    });
  }

  // Waits for how the session ends.
  #ending() {
    return this.#next(new EventTarget(), 'never');
  }

  #startTimer(name, delay, makeError) {
    if (this.#timers.has(name) || this.#state === 'ended') return;
    const timer = setTimeout(() => {
      this.#timers.delete(name);
      this.#end(makeError());
    }, delay);
    this.#timers.set(name, timer);
  }

  #stopTimer(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  #setState(state) {
    if (state === this.#state || this.#state === 'ended') return;
    this.#state = state;
    tell(this.#options.onState, state);
  }
}

/**
 * Connects to a server: short for UploadClient.connect().
 * @param {string | URL} url
 * @param {import('./upload.js').ConnectOptions} [options]
 * @returns {Promise<UploadClient>}
 */
export function connect(url, options) {
  return UploadClient.connect(url, options);
}

const cancelled = () => new UploadError('cancelled', 'The upload was cancelled.');
const gone = () => new UploadError('peer-gone', 'The connection to the server was lost.');
const serverGone = (cause) =>
  new UploadError('server-gone', 'The server is gone: it was stopped or restarted.', { cause });

function unexpected(cause) {
  if (cause?.name === 'NotReadableError' || cause?.name === 'NotFoundError') {
    const sentence = 'The file cannot be read: it was changed, moved or removed.';
    return new UploadError('file-unreadable', sentence, { cause });
  }
  return new UploadError('internal-error', cause?.message ?? String(cause), { cause });
}

// What a handler of the application's throws is reported as any uncaught error is, and ends nothing here.
function tell(handler, news) {
  try {
    handler?.(news);
  } catch (error) {
    if (globalThis.reportError) {
      globalThis.reportError(error);
    } else {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

// Calls `abort` now or later; the function that is returned takes that back.
function onAbort(signal, abort) {
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  return () => signal?.removeEventListener('abort', abort);
}

// [index, total, payload] of all chunks. While one block of them is sent, the next is read.
async function* chunksOf(file) {
  const total = Math.ceil(file.size / CHUNK_BYTES);
  const blockBytes = CHUNKS_PER_READ * CHUNK_BYTES;
  const read = (at) => {
    const block = file.slice(at, at + blockBytes).arrayBuffer();
    block.catch(() => {}); // Told where it is awaited, unless nobody comes to that.
    return block;
  };
  let index = 0;
  let coming = read(0);
  for (let at = 0; at < file.size; at += blockBytes) {
    const block = await coming;
    if (at + blockBytes < file.size) coming = read(at + blockBytes);
    for (let offset = 0; offset < block.byteLength; offset += CHUNK_BYTES) {
      const size = Math.min(CHUNK_BYTES, block.byteLength - offset);
      yield [index, total, new Uint8Array(block, offset, size)];
      index += 1;
    }
  }
}
