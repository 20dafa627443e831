// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The client: one session from the offer to its end. What ends it, and what everybody is told then.

import { cancelled, gone, textOf, unexpected, UploadError } from './errors.js';
import { getLimits } from './http.js';
import { connectFurther, makeOffer, onAbort, takeAnswer } from './negotiation.js';
import { persist } from './persistence.js';
import { ProgressMeter } from './progress.js';
import { ResultsChannel } from './results_channel.js';
import { SessionEnd } from './session_end.js';
import { errorFromStatus, SessionWatch } from './session_watch.js';
import { dropIn, whip } from './signalling.js';
import { UploadChannel } from './upload_channel.js';
import { V2Upload } from './v2_upload.js';
import { V2_PROTOCOL } from './v2_wire.js';
import { WakeLock } from './wake_lock.js';

// When the server ends a channel, the reason is on its way on another one.
const REASON_GRACE_MS = 5000;
const PROGRESS_INTERVAL_MS = 200;
// The connection stays so long for a last word to get out.
const LAST_WORD_MS = 1000;
// An upload that can go on over a further connection waits no longer for the one it had.
const IMPATIENCE_MS = 3000;

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
  #askStatus = null;
  #further = null; // How to get a further connection to the session, if there is a way.
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
    const results = connection.createDataChannel(options.resultsLabel);
    this.#channels = [results];
    this.#resultsChannel = new ResultsChannel(results, options, {
      onComplete: (result) => this.#complete(result),
      onError: (error) => this.#fail(error),
    });
    this.#adopt(connection, results);
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
    const wakeLock = new WakeLock();
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
      wakeLock.release();
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

  #adopt(connection, results) {
    this.#connection = connection;
    // Of one that was replaced nothing matters.
    const ifCurrent = (action) => () => connection === this.#connection && action();
    connection.addEventListener(
      'connectionstatechange',
      ifCurrent(() => this.#onConnectionState()),
    );
    results.addEventListener(
      'close',
      ifCurrent(() => this.#lose(gone())),
    );
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
      this.#uploadChannel = new V2Upload(channel, this.#end, (...lost) => this.#resume(...lost));
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
      if (iceServers?.length) {
        this.#options.iceServers = iceServers; // For further connections as well.
        connection.setConfiguration({ iceServers });
      }
      return makeOffer(connection, this.#end, gatherTimeout);
    };

    const { signal } = this.#abort;
    const exchange = async () => {
      const session = await signalling({ url, offer, wishes, key, signal });
      const { answer, end, status, further } = session;
      this.#endSession = end;
      this.#askStatus = status;
      this.#further = further;
      // Somebody has given up in the meantime, and the server should know.
      if (this.#end.failure) this.#tellServer();
      else this.#watchSession();
      return answer;
    };
    const answer = await Promise.race([exchange(), this.#end.reached()]);
    await takeAnswer(connection, answer, this.#channels, this.#end);
    this.#stopTimer('connect');
    this.#setState('connected');
  }

  #watchSession() {
    if (!this.#askStatus) return;
    const signOfLife = () => `${this.#uploadChannel?.signOfLife} ${this.#resultsChannel.messages}`;
    this.#watch = new SessionWatch(this.#askStatus, signOfLife, (error) => this.#over(error));
  }

  // --- going on after a loss

  get #resumable() {
    const sending = this.#uploading && !this.#delivered && !this.#end.over;
    return sending && this.#uploadChannel?.resumable === true && Boolean(this.#further);
  }

  // The upload's channel of a further connection, when the one before is lost.
  async #resume(lost, seconds) {
    if (!this.#resumable || seconds === 0) {
      if (lost.remote) throw lost;
      this.#onUploadClosed();
      await this.#end.reached();
      throw lost;
    }
    this.#watch?.stop();
    for (const name of ['interruption', 'reason']) this.#stopTimer(name);
    this.#connection.close();
    this.#setState('interrupted');
    const { signal } = this.#abort;
    const { onInterruption } = this.#options;
    try {
      const attempt = () => connectFurther(this.#further, this.#options, signal);
      const onWait = (secondsLeft) => tell(onInterruption, { secondsLeft });
      const made = await persist(attempt, { seconds, retryAfter: lost.retryAfter, signal, onWait });
      if (this.#end.over) made.connection.close();
      else this.#goOnWith(made);
      return made.upload;
    } catch (error) {
      throw await this.#reasonOf(error);
    }
  }

  #goOnWith({ connection, results }) {
    this.#losing = false;
    this.#adopt(connection, results);
    this.#resultsChannel.attach(results);
    this.#watchSession();
    this.#setState('connected');
  }

  // The server may know why the session is gone, which it has just said by its status.
  async #reasonOf(error) {
    // There is no such session, or nothing of it that could go on.
    if (![404, 409].includes(error.status) || !this.#askStatus) return error;
    const said = await this.#askStatus(this.#abort.signal).catch(() => null);
    return said?.state === 'ended' ? errorFromStatus(said) : gone();
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
      const { disconnectTimeout } = this.#options;
      this.#setState('interrupted');
      const patience = this.#resumable ? IMPATIENCE_MS : Infinity;
      this.#startTimer('interruption', Math.min(disconnectTimeout, patience), gone);
      if (this.#watch) this.#watch.interrupted = true;
    } else if (connectionState === 'failed') {
      this.#lose(gone());
    }
  }

  // The connection is over. Why, the server may know better than this side, which has `error`.
  async #lose(error) {
    if (this.#losing) return;
    this.#losing = true;
    const told = this.#end.over || this.#resumable ? null : await this.#watch?.lost();
    this.#over(told ?? error);
  }

  #onUploadClosed() {
    if (this.#resumable) return; // The upload has noticed by itself.
    // After the upload that is normal; before, the reason is about to come.
    if (!this.#end.over && !this.#delivered) this.#startTimer('reason', REASON_GRACE_MS, gone);
  }

  // The connection is over: with success if the server had said so before.
  #over(error) {
    const lost = ['peer-gone', 'server-gone'].includes(error?.code);
    if (this.#end.over) this.#shutDown();
    else if (lost && this.#resumable) this.#uploadChannel.lose();
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
