// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The client: one session from the offer to its end. What ends it, and what everybody is told then.

import { cancelled, gone, SessionLost, unexpected, UploadError } from './errors.js';
import { FurtherConnections } from './further_connections.js';
import { tell } from './handlers.js';
import { connectFurther, IMPATIENCE_MS, makeOffer, onAbort, takeAnswer } from './negotiation.js';
import { askProtocol, withDefaults } from './options.js';
import { persist } from './persistence.js';
import { reportProgress } from './progress.js';
import { errorOfCompletion, ResultsChannel, sentencesOf } from './results_channel.js';
import { SessionEnd } from './session_end.js';
import { reasonOf, SessionWatch } from './session_watch.js';
import { Timers } from './timers.js';
import { openUpload, sayLastWord } from './upload_kinds.js';
import { isStream, sourceOf, v1Source } from './v2_source.js';
import { V2Upload } from './v2_upload.js';
import { WakeLock } from './wake_lock.js';

// When the server ends a channel, the reason is on its way on another one.
const REASON_GRACE_MS = 5000;
// A session that is lost amid the upload is begun anew so often, each time for so long.
const MAX_RESTARTS = 2;
const RESTART_S = 30;

/** A connection for one upload and its results. Made by connect(). */
export class UploadClient {
  #url;
  #options;
  #connection; // The one with the results.
  #channels; // Of results; then of the upload, once it is known what the server speaks.
  #resultsChannel;
  #uploadChannel = null;
  #channelOfUpload = null; // Over that connection, in v2.
  #others = null; // FurtherConnections, while there may be some.
  #mostConnections = Infinity;
  #restarts = 0;
  #end = new SessionEnd();
  #abort = new AbortController();
  #endSession = null;
  #askStatus = null;
  #further = null; // How to get a further connection to the session, if there is a way.
  #watch = null;
  #losing = false;
  #state = 'connecting';
  #uploading = false;
  #rewindable = false; // Whether it can be sent once more from its beginning.
  #delivered = false;
  #timers = new Timers();
  #stopListening = () => {};
  #completion;
  #settleCompletion;

  /** Use connect(). */
  constructor(url, options) {
    if (!globalThis.RTCPeerConnection) {
      throw new UploadError('unsupported', 'This browser has no WebRTC.');
    }
    this.#url = url;
    this.#options = options;
    this.#completion = new Promise((resolve, reject) => {
      this.#settleCompletion = { resolve, reject };
    });
    this.#completion.catch(() => {}); // Whoever wants to know looks at it.

    this.#resultsChannel = new ResultsChannel(this.#makeConnection(), options, {
      onComplete: (result) => this.#complete(result),
      onError: (error) => this.#fail(error),
    });
    this.#stopListening = onAbort(options.signal, () => this.#fail(cancelled()));
  }

  /**
   * Connects to a server. Rejects with an UploadError.
   * @param {string | URL} url the server's base address
   * @param {import('../upload.js').ConnectOptions} [options]
   * @returns {Promise<UploadClient>}
   */
  static async connect(url, options = {}) {
    let client;
    try {
      client = new UploadClient(url, withDefaults(options));
      await client.#negotiate();
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
   * Uploads a file, or what comes out of a stream; once per client. Resolves when the server has all of it: verified, if it
   * has computed the same SHA-256.
   * @param {Blob | ReadableStream} file read in pieces, never as a whole
   * @param {import('../upload.js').UploadOptions} [options]
   * @returns {Promise<import('../upload.js').Uploaded>}
   */
  upload(file, options = {}) {
    const uploading = this.#send(file, options);
    // Who reads the results is told there. Node would end the process before they look at this.
    uploading.catch(() => {});
    return uploading;
  }

  async #send(file, { signal, onProgress, name = file.name, contentType = file.type }) {
    if (this.#end.failure) throw this.#end.failure;
    if (this.#uploading || this.#end.over) {
      throw new UploadError('already-used', 'One connection takes one upload.');
    }
    if (file.size === 0) throw new UploadError('empty-upload', 'The file is empty.');
    this.#uploading = true;

    const stopReporting = reportProgress(
      file.size ?? null,
      () => this.#uploadChannel.sent,
      (progress) => tell(onProgress, progress),
    );
    const stopListening = onAbort(signal, () => this.#fail(cancelled()));
    const wakeLock = new WakeLock();
    try {
      const uploaded = await this.#sendUntilTold(file, { name, contentType });
      this.#delivered = true;
      return uploaded;
    } catch (error) {
      this.#fail(error instanceof UploadError ? error : unexpected(error));
      throw this.#end.failure;
    } finally {
      stopReporting(this.#delivered);
      stopListening();
      wakeLock.release();
      this.#others?.stop(this.#delivered);
    }
  }

  async #sendUntilTold(file, facts) {
    this.#rewindable = !isStream(file);
    if (!this.#speaksV2) return this.#uploadChannel.send(v1Source(file));
    for (;;) {
      const source = sourceOf(file);
      this.#connectFurther();
      try {
        return await this.#uploadChannel.send(source, facts);
      } catch (error) {
        source.stop(error);
        if (!(error instanceof SessionLost)) throw error;
        await this.#startAnew(error.error);
      }
    }
  }

  /** Ends the session. What is under way rejects with `cancelled`. */
  close() {
    this.#fail(cancelled());
  }

  // The first connection of a session. Gives its channel for results.
  #makeConnection() {
    const { iceServers = [], resultsLabel } = this.#options;
    const connection = new RTCPeerConnection({ iceServers });
    const results = connection.createDataChannel(resultsLabel);
    this.#channels = [results];
    this.#adopt(connection, results);
    return results;
  }

  #adopt(connection, results) {
    this.#connection = connection;
    // Of one that was replaced nothing matters.
    const ifCurrent = (action) => () => connection === this.#connection && action();
    const onState = ifCurrent(() => this.#onConnectionState());
    connection.addEventListener('connectionstatechange', onState);
    const onClose = ifCurrent(() => this.#lose(gone()));
    results.addEventListener('close', onClose);
  }

  #openUploadChannel(protocol) {
    const kind = { protocol, label: this.#options.uploadLabel };
    const { upload, channel } = openUpload(this.#connection, kind, this.#end, {
      reconnect: (...lost) => this.#resume(...lost),
      onLeft: (left) => this.#onLeft(left),
      onRefusal: (cause) => {
        const error = () => (upload.open ? unexpected(cause) : gone());
        this.#startTimer('reason', REASON_GRACE_MS, error);
      },
    });
    channel.addEventListener('close', () => this.#onUploadClosed());
    this.#channels.push(channel);
    this.#uploadChannel = upload;
    this.#channelOfUpload = channel;
  }

  async #negotiate() {
    const { signalling, connectTimeout, gatherTimeout, key, ...wishes } = this.#options;
    const connection = this.#connection;
    if (this.#end.failure) throw this.#end.failure;
    this.#startTimer('connect', connectTimeout, () => {
      const sentence = `No connection within ${connectTimeout / 1000} seconds.`;
      return new UploadError('connect-timeout', sentence);
    });
    const asking = askProtocol(this.#url, this.#options, this.#abort.signal);
    const offer = async (iceServers) => {
      const { protocol, mostConnections } = await asking;
      this.#mostConnections = mostConnections;
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
      const session = await signalling({ url: this.#url, offer, wishes, key, signal });
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
    this.#timers.stop('connect');
    this.#setState('connected');
  }

  #watchSession() {
    if (!this.#askStatus) return;
    const signOfLife = () => `${this.#uploadChannel?.signOfLife} ${this.#resultsChannel.messages}`;
    this.#watch = new SessionWatch(this.#askStatus, signOfLife, (error) => this.#over(error));
  }

  // --- going on after a loss

  get #speaksV2() {
    return this.#uploadChannel instanceof V2Upload;
  }

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
    this.#leaveConnection();
    this.#setState('interrupted');
    this.#others?.reset();
    const { signal } = this.#abort;
    const { onInterruption } = this.#options;
    try {
      const attempt = () =>
        connectFurther(this.#further, this.#options, { signal, withResults: true });
      const onWait = (secondsLeft) => tell(onInterruption, { secondsLeft });
      const made = await persist(attempt, { seconds, retryAfter: lost.retryAfter, signal, onWait });
      if (this.#end.over) made.connection.close();
      else this.#goOnWith(made);
      return made.upload;
    } catch (error) {
      throw this.#orAnew(await reasonOf(error, this.#askStatus, signal));
    }
  }

  #leaveConnection() {
    this.#watch?.stop();
    this.#timers.stop('interruption', 'reason');
    this.#connection.close();
  }

  #goOnWith({ connection, results, upload }) {
    this.#losing = false;
    this.#adopt(connection, results);
    this.#channelOfUpload = upload;
    this.#resultsChannel.attach(results);
    this.#watchSession();
    this.#setState('connected');
  }

  // --- several connections

  #connectFurther() {
    const { connections: wish } = this.#options;
    if (!this.#further || wish === 1) return;
    this.#others = new FurtherConnections(
      { wish, most: this.#mostConnections },
      this.#uploadChannel,
      (signal) => connectFurther(this.#further, this.#options, { signal, withResults: false }),
    );
  }

  // The upload goes on without this channel. If it was beside the results, those come over another connection.
  #onLeft(channel) {
    if (channel !== this.#channelOfUpload) {
      this.#others.left(channel);
      return;
    }
    const made = this.#others.promote();
    const { connection } = made;
    this.#leaveConnection();
    this.#goOnWith({ ...made, results: connection.createDataChannel(this.#options.resultsLabel) });
    this.#onConnectionState();
  }

  // --- beginning anew

  // Something else may come of what has ended the session, if it is lost, in another one.
  #orAnew(error) {
    const lost = ['crashed', 'peer-gone'].includes(error.code) && error.status === undefined;
    const sending = this.#uploading && !this.#delivered && this.#rewindable && this.#speaksV2;
    const fresh = this.#state !== 'connecting' && this.#resultsChannel.messages === 0;
    return lost && sending && fresh && this.#restarts < MAX_RESTARTS
      ? new SessionLost(error)
      : error;
  }

  async #startAnew(error) {
    this.#restarts += 1;
    this.#others?.stop(false);
    this.#others = null;
    this.#leaveConnection();
    this.#setState('interrupted');
    tell(this.#options.onRestart, { error, times: this.#restarts });
    const attempt = async () => {
      this.#connection.close();
      this.#timers.stop('connect');
      this.#setState('connecting');
      this.#losing = false;
      this.#resultsChannel.attach(this.#makeConnection());
      await this.#negotiate();
    };
    await persist(attempt, {
      seconds: RESTART_S,
      retryAfter: error.retryAfter,
      signal: this.#abort.signal,
      onWait: (secondsLeft) => tell(this.#options.onInterruption, { secondsLeft }),
    });
  }

  // --- ends

  #complete(result) {
    const error = errorOfCompletion(result);
    if (error) {
      this.#fail(error);
      return;
    }
    const sentences = sentencesOf(result);
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
    this.#timers.stopAll();
    this.#abort.abort(this.#end.failure);
    this.#stopListening();
    this.#watch?.stop();
    this.#closeConnection();
    this.#setState('ended');
  }

  // With it goes what waits in its channels.
  async #closeConnection() {
    const connection = this.#connection;
    const saying = sayLastWord(this.#uploadChannel, this.#end.failure);
    if (saying) await saying;
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
      this.#timers.stop('interruption');
      this.#setState('connected');
      if (this.#watch) this.#watch.interrupted = false;
    } else if (connectionState === 'disconnected') {
      const { disconnectTimeout } = this.#options;
      if (!this.#uploadChannel?.hasOther?.(this.#channelOfUpload)) this.#setState('interrupted');
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
    if (this.#end.over) {
      this.#shutDown();
    } else if (lost && this.#resumable) {
      this.#uploadChannel.lose(this.#channelOfUpload);
    } else {
      const problem = error?.code === 'crashed' ? this.#orAnew(error) : error;
      if (problem instanceof SessionLost) this.#uploadChannel.abandon(problem);
      else this.#fail(problem);
    }
  }

  // --- small things

  #startTimer(name, delay, makeError) {
    if (this.#state !== 'ended') this.#timers.start(name, delay, () => this.#over(makeError()));
  }

  #setState(state) {
    if (state === this.#state || this.#state === 'ended') return;
    this.#state = state;
    tell(this.#options.onState, state);
  }
}

/** Connects to a server: short for UploadClient.connect(). */
export function connect(url, options) {
  return UploadClient.connect(url, options);
}
