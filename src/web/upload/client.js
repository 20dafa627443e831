// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The client: one session from the offer to its end. What ends it, and what everybody is told then.

import { cancelled, gone, textOf, unexpected, UploadError } from './errors.js';
import { getLimits } from './http.js';
import { ProgressMeter } from './progress.js';
import { ResultsChannel } from './results_channel.js';
import { SessionEnd } from './session_end.js';
import { SessionWatch } from './session_watch.js';
import { dropIn, whip } from './signalling.js';
import { UploadChannel } from './upload_channel.js';
import { V2Upload } from './v2_upload.js';
import { V2_PROTOCOL } from './v2_wire.js';

// When the server ends a channel, the reason is on its way on another one.
const REASON_GRACE_MS = 5000;
const PROGRESS_INTERVAL_MS = 200;
// The connection stays so long for a last word to get out.
const LAST_WORD_MS = 1000;

const DEFAULTS = {
  realtime: false,
  dataOutput: ['*'],
  protocol: 'auto',
  signalling: whip,
  connectTimeout: 30000,
  gatherTimeout: 3000,
  disconnectTimeout: 15000,
  maxQueuedResults: 1000,
  maxQueuedBytes: 256 * 1024 * 1024,
  uploadLabel: 'video_upload',
  resultsLabel: 'inference',
};

/** A connection for one upload and its results. Made by connect(). */
export class UploadClient {
  #options;
  #connection;
  #channels; // Of results; then of the upload, once it is known what the server speaks.
  #resultsChannel;
  #uploadChannel = null;
  #end = new SessionEnd();
  #abort = new AbortController();
  #endSession = null;
  #watch = null;
  #losing = false;
  #state = 'connecting';
  #uploading = false;
  #delivered = false;
  #timers = new Map();
  #stopListening = () => {};
  #completion;
  #settleCompletion;

  /** Use connect(). */
  constructor(options) {
    if (!globalThis.RTCPeerConnection) {
      throw new UploadError('unsupported', 'This browser has no WebRTC.');
    }
    this.#options = options;
    this.#completion = new Promise((resolve, reject) => {
      this.#settleCompletion = { resolve, reject };
    });
    this.#completion.catch(() => {}); // Whoever wants to know looks at it.

    const connection = new RTCPeerConnection({ iceServers: options.iceServers ?? [] });
    this.#connection = connection;
    const results = connection.createDataChannel(options.resultsLabel);
    this.#channels = [results];
    this.#resultsChannel = new ResultsChannel(results, options, {
      onComplete: (result) => this.#complete(result),
      onError: (error) => this.#fail(error),
    });
    connection.addEventListener('connectionstatechange', () => this.#onConnectionState());
    results.addEventListener('close', () => this.#lose(gone()));
    this.#stopListening = onAbort(options.signal, () => this.#fail(cancelled()));
  }

  /**
   * Connects to a server. Rejects with an UploadError.
   * @param {string | URL} url the server's base address
   * @param {import('../upload.js').ConnectOptions} [options]
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
      throw client?.#end.failure ?? told;
    }
  }

  /** "connecting", "connected", "interrupted" (it may come back), "ended". */
  get state() {
    return this.#state;
  }

  /** Results that nobody took in time: the oldest go when too many wait. */
  get dropped() {
    return this.#resultsChannel.dropped;
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
    return this.#resultsChannel.iterate();
  }

  /**
   * Uploads a file; once per client. Resolves when the server has all of it: verified, if it has
   * computed the same SHA-256.
   * @param {Blob} file read in slices, never as a whole
   * @param {import('../upload.js').UploadOptions} [options]
   * @returns {Promise<import('../upload.js').Uploaded>}
   */
  upload(file, options = {}) {
    const uploading = this.#send(file, options);
    // Who reads the results is told there. Node would end the process before they look at this.
    uploading.catch(() => {});
    return uploading;
  }

  async #send(file, { signal, onProgress }) {
    if (this.#end.failure) throw this.#end.failure;
    if (this.#uploading || this.#end.over) {
      throw new UploadError('already-used', 'One connection takes one upload.');
    }
    if (file.size === 0) throw new UploadError('empty-upload', 'The file is empty.');
    this.#uploading = true;

    const meter = new ProgressMeter(file.size);
    const report = (sent) => tell(onProgress, meter.update(performance.now(), sent));
    const timer = setInterval(() => report(this.#uploadChannel.sent), PROGRESS_INTERVAL_MS);
    const stopListening = onAbort(signal, () => this.#fail(cancelled()));
    try {
      report(0);
      const uploaded = await this.#uploadChannel.send(file);
      this.#delivered = true;
      report(file.size);
      return uploaded;
    } catch (error) {
      this.#fail(error instanceof UploadError ? error : unexpected(error));
      throw this.#end.failure;
    } finally {
      clearInterval(timer);
      stopListening();
    }
  }

  /** Ends the session. What is under way rejects with `cancelled`. */
  close() {
    this.#fail(cancelled());
  }

  // What the upload's channel speaks. Of a server that is reached in a way of the application's,
  // only the application knows.
  async #protocolOf(url) {
    const { protocol, signalling } = this.#options;
    if (protocol !== 'auto') return protocol;
    if (![whip, dropIn].includes(signalling)) return 'v1';
    // If there is an error in that, the offer has it as well, and tells of it.
    const limits = await getLimits(url, { signal: this.#abort.signal }).catch(() => null);
    return limits?.protocols.includes('v2') ? 'v2' : 'v1';
  }

  #openUploadChannel(protocol) {
    const { uploadLabel } = this.#options;
    const v2 = protocol === 'v2';
    const channel = this.#connection.createDataChannel(
      uploadLabel,
      ...(v2 ? [{ protocol: V2_PROTOCOL }] : []),
    );
    channel.addEventListener('close', () => this.#onUploadClosed());
    this.#channels.push(channel);
    if (v2) {
      this.#uploadChannel = new V2Upload(channel, this.#end, () => this.#onUploadClosed());
      return;
    }
    this.#uploadChannel = new UploadChannel(channel, this.#end, (cause) => {
      const error = () => (this.#uploadChannel.open ? unexpected(cause) : gone());
      this.#startTimer('reason', REASON_GRACE_MS, error);
    });
  }

  async #negotiate(url) {
    const { signalling, connectTimeout, gatherTimeout, key, ...wishes } = this.#options;
    const connection = this.#connection;
    if (this.#end.failure) throw this.#end.failure;
    this.#startTimer('connect', connectTimeout, () => {
      const sentence = `No connection within ${connectTimeout / 1000} seconds.`;
      return new UploadError('connect-timeout', sentence);
    });
    const asking = this.#protocolOf(url);
    const offer = async (iceServers) => {
      const protocol = await asking;
      if (this.#end.failure) throw this.#end.failure;
      this.#openUploadChannel(protocol);
      if (iceServers?.length) connection.setConfiguration({ iceServers });
      await connection.setLocalDescription(await connection.createOffer());
      const end = performance.now() + gatherTimeout;
      while (connection.iceGatheringState !== 'complete' && performance.now() < end) {
        await this.#end.next(connection, 'icegatheringstatechange', end - performance.now());
      }
      return connection.localDescription.sdp;
    };

    const { signal } = this.#abort;
    const exchange = async () => {
      const { answer, end, status } = await signalling({ url, offer, wishes, key, signal });
      this.#endSession = end;
      // Somebody has given up in the meantime, and the server should know.
      if (this.#end.failure) this.#tellServer();
      else if (status) this.#watchSession(status);
      return answer;
    };
    const answer = await Promise.race([exchange(), this.#end.reached()]);
    if (typeof answer !== 'string' || !answer.startsWith('v=')) {
      throw new UploadError('bad-answer', 'The server replied with something that is no answer.');
    }
    try {
      await connection.setRemoteDescription({ type: 'answer', sdp: answer });
    } catch (cause) {
      if (this.#end.failure) throw this.#end.failure;
      throw new UploadError('bad-answer', "The server's answer was not understood.", { cause });
    }
    for (const channel of this.#channels) {
      if (channel.readyState === 'connecting') await this.#end.next(channel, 'open');
    }
    // Ended meanwhile, which closes the channels as well.
    if (this.#end.failure) throw this.#end.failure;
    this.#stopTimer('connect');
    this.#setState('connected');
  }

  #watchSession(status) {
    const signOfLife = () => `${this.#uploadChannel?.signOfLife} ${this.#resultsChannel.messages}`;
    this.#watch = new SessionWatch(status, signOfLife, (error) => this.#over(error));
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
    this.#settleCompletion.resolve({ terminationReason: null, errors: sentences });
    this.#settle();
    // How the server knows that everything has arrived. Its side closes next, and then all of it.
    this.#resultsChannel.close();
    this.#startTimer('goodbye', REASON_GRACE_MS, () => null);
  }

  #fail(error) {
    if (this.#end.over) return;
    this.#settleCompletion.reject(error);
    this.#settle(error);
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

  #settle(failure = null) {
    this.#end.settle(failure);
    this.#resultsChannel.end(failure);
  }

  #shutDown() {
    for (const name of [...this.#timers.keys()]) this.#stopTimer(name);
    this.#abort.abort(this.#end.failure);
    this.#stopListening();
    this.#watch?.stop();
    this.#closeConnection();
    this.#setState('ended');
  }

  // With it goes what waits in its channels.
  async #closeConnection() {
    const connection = this.#connection;
    if (this.#end.failure?.code === 'cancelled' && this.#uploadChannel?.cancel) {
      const late = new Promise((resolve) => {
        setTimeout(resolve, LAST_WORD_MS);
      });
      await Promise.race([this.#uploadChannel.cancel(), late]);
    }
    connection.close();
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

  // The connection is over. Why, the server may know better than this side, which has `error`.
  async #lose(error) {
    if (this.#losing) return;
    this.#losing = true;
    const told = this.#end.over ? null : await this.#watch?.lost();
    this.#over(told ?? error);
  }

  #onUploadClosed() {
    // After the upload that is normal; before, the reason is about to come.
    if (!this.#end.over && !this.#delivered) this.#startTimer('reason', REASON_GRACE_MS, gone);
  }

  // The connection is over: with success if the server had said so before.
  #over(error) {
    if (this.#end.over) this.#shutDown();
    else this.#fail(error);
  }

  // --- small things

  #startTimer(name, delay, makeError) {
    if (this.#timers.has(name) || this.#state === 'ended') return;
    const timer = setTimeout(() => {
      this.#timers.delete(name);
      this.#over(makeError());
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
 * @param {import('../upload.js').ConnectOptions} [options]
 * @returns {Promise<UploadClient>}
 */
export function connect(url, options) {
  return UploadClient.connect(url, options);
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
