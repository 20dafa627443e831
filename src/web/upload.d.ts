// SPDX-License-Identifier: LGPL-2.1-or-later

/** Bytes of the file in each message but the last. */
export const CHUNK_BYTES: number;

/**
 * The codes of this module; a server adds its own (`too-large`, `quota-exceeded`, `idle-timeout`,
 * `timeout_reached`, `stalled`, ...). All are listed in docs/javascript.md.
 */
export type ErrorCode =
  | 'already-used'
  | 'bad-answer'
  | 'bad-request'
  | 'bad-result'
  | 'cancelled'
  | 'connect-timeout'
  | 'empty-upload'
  | 'file-unreadable'
  | 'forbidden'
  | 'internal-error'
  | 'network-failed'
  | 'not-found'
  | 'payment-required'
  | 'peer-gone'
  | 'request-timeout'
  | 'server-error'
  | 'server-gone'
  | 'stream-failed'
  | 'too-many-sessions'
  | 'unauthorized'
  | 'unavailable'
  | 'unknown-size'
  | 'unsupported'
  | (string & {}); // The list is still offered by editors.

/** What went wrong: `code` for programs, `message` for people. */
export class UploadError extends Error {
  constructor(
    code: ErrorCode,
    message: string,
    more?: {
      status?: number;
      retryAfter?: number;
      details?: string[];
      remote?: boolean;
      cause?: unknown;
    },
  );
  readonly name: 'UploadError';
  readonly code: ErrorCode;
  /** The HTTP status, if the error was one. */
  readonly status?: number;
  /** After how many seconds the server wants to be asked again, if it said. */
  readonly retryAfter?: number;
  /** Further sentences of the server's. */
  readonly details: string[];
  /** Whether the server ended the session, and so chose the code. */
  readonly remote: boolean;
}

/** A chunk as it goes over the wire: `[index u32 LE][total u32 LE][payload]`. */
export function encodeChunk(index: number, total: number, payload: Uint8Array): Uint8Array;

/** A block of wire v2, with its checksum: `[1 u8][0 u8][0 u16][crc32c u32][offset u64][payload]`, little endian. */
export function encodeBlock(offset: number, payload: Uint8Array): Uint8Array;

/** SHA-256 of bytes that come part by part. */
export class Sha256 {
  update(bytes: Uint8Array): void;
  /** 64 hexadecimal digits. Once, after the last part. */
  digest(): string;
}

/** Puts results together out of messages `[frame_id][chunk][total][piece]`. */
export class ResultAssembler {
  constructor(maxBytes?: number);
  /** Returns the result that this message completes. Throws an UploadError, `bad-result`. */
  push(message: ArrayBuffer | Uint8Array): { frameId: number; text: string } | null;
}

export interface Progress {
  /** Bytes that the server has stored, or, with wire v1, that have left for it. */
  sent: number;
  /** null for a stream. */
  total: number | null;
  /** From 0 to 1; null for a stream. */
  fraction: number | null;
  /** Of the last seconds; null at the very beginning. */
  bytesPerSecond: number | null;
  /** null while nothing moves. */
  secondsLeft: number | null;
}

/** Speed and time left, from how much was done by when. */
export class ProgressMeter {
  constructor(total: number | null, windowMs?: number);
  update(now: number, done: number): Progress;
}

/** The error that an HTTP reply means. */
export function errorFromReply(
  status: number,
  body: string,
  retryAfter?: string | null,
): UploadError;

export interface Limits {
  /** In bytes; null = not known. */
  maxSize: number | null;
  keysRequired: boolean;
  /** Connections that an upload in wire v2 may have at the same time; null = not known. */
  maxConnections: number | null;
  /** MIME types ("video/mp4") or endings (".mkv"); empty = whatever the server can decode. */
  formats: string[];
  /** Wire formats of uploads: "v1", "v2". A server that does not say speaks "v1". */
  protocols: string[];
}

/** What the server accepts, or null if it does not say. */
export function getLimits(
  url: string | URL,
  options?: { signal?: AbortSignal },
): Promise<Limits | null>;

/** ICE servers out of a Link header (RFC 9725). */
export function parseIceLinks(header: string | null | undefined): RTCIceServer[];

/** What the session should be like, as the signalling tells the server. */
export interface Wishes {
  /**
   * false (the default): every frame is analysed, as fast as it goes. true: like a live stream, at
   * the video's own pace, and frames are left out when the analysis is slower.
   */
  realtime: boolean;
  /** Names of outputs; ["*"], the default, is all but images, [] the metadata only. */
  dataOutput: string[];
  /** Names one of the server's pipelines. */
  workflow?: string;
  /** Seconds after which the server stops the analysis. */
  processingTimeout?: number;
  /** Instead of those that the server names. */
  iceServers?: RTCIceServer[];
}

/** What a server says of a session, as `GET` of its address does. */
export interface SessionStatus {
  state: 'running' | 'ended';
  /** null while it runs. */
  status: 'done' | 'failed' | null;
  /** What went wrong; null if nothing did. */
  code: string | null;
  message: string | null;
  frames?: number | null;
  bytes?: number | null;
  chunks?: number | null;
}

/** Gets an offer to the server and its answer back. */
export type Signalling = (exchange: {
  url: string | URL;
  /** Makes the offer, with all candidates, and resolves to its SDP. Once. */
  offer: (iceServers?: RTCIceServer[]) => Promise<string>;
  wishes: Wishes;
  key?: string;
  signal: AbortSignal;
}) => Promise<{
  answer: string | undefined;
  /** Tells the server that this side ends the session early. */
  end?: () => unknown;
  /**
   * Asks the server how the session is, when nothing comes from it. Rejects with an UploadError:
   * "network-failed" where nobody answers.
   */
  status?: (signal: AbortSignal) => Promise<SessionStatus>;
  /**
   * Gets the offer of a further connection to the session, for an upload in wire v2 that uses several or has lost the one
   * before. Without it such an upload has one, and ends with it. `end` tells the server that this connection is not needed
   * any more.
   */
  further?: (exchange: {
    offer: () => Promise<string>;
    signal: AbortSignal;
  }) => Promise<{ answer: string | undefined; end?: () => unknown }>;
}>;

/** POST of an SDP offer to `upload`, as in WHIP (RFC 9725). The default. */
export const whip: Signalling;
/** POST of JSON to `initialise_webrtc_worker`. */
export const dropIn: Signalling;

export type ClientState = 'connecting' | 'connected' | 'interrupted' | 'ended';

export interface ConnectOptions extends Partial<Wishes> {
  /** Sent as a bearer token. */
  key?: string;
  /** Ends the session whenever it is aborted. */
  signal?: AbortSignal;
  signalling?: Signalling;
  /**
   * The wire format of the upload. "auto", the default: v2 if the server's limits name it, otherwise v1, as also with a
   * signalling that is not one of this module's.
   */
  protocol?: 'auto' | 'v1' | 'v2';
  /**
   * How many connections an upload in wire v2 goes over, the first one counted, as far as the server lets it. "auto", the
   * default: one, and more where the way to the server is long and each makes it faster.
   */
  connections?: number | 'auto';
  onState?: (state: ClientState) => void;
  /**
   * The session was lost amid the upload in wire v2 of a file, with this error, and the upload begins anew in another one:
   * the so-manieth time.
   */
  onRestart?: (restart: { error: UploadError; times: number }) => void;
  /**
   * About once a second while an upload in wire v2 has lost its connection and tries to get another one: how long it will
   * go on trying.
   */
  onInterruption?: (interruption: { secondsLeft: number }) => void;
  /** Milliseconds until `connect-timeout`; 30,000. */
  connectTimeout?: number;
  /** Milliseconds to wait for this side's ICE candidates; 3,000. */
  gatherTimeout?: number;
  /** Milliseconds that an interrupted connection has to come back; 15,000. */
  disconnectTimeout?: number;
  /** So many results wait to be taken; then the oldest are dropped. 1,000. */
  maxQueuedResults?: number;
  /** And they have so much text in all; 256 MiB. */
  maxQueuedBytes?: number;
  /** The longest result that is accepted, and so much of unfinished ones; 32 MiB. */
  maxResultBytes?: number;
  /** Labels of the data channels: "video_upload" and "inference". */
  uploadLabel?: string;
  resultsLabel?: string;
}

export interface UploadOptions {
  /** Ends the session when it is aborted. */
  signal?: AbortSignal;
  /** Five times a second, and at the end. */
  onProgress?: (progress: Progress) => void;
  /** What the server is told of the content, with wire v2; a File has both. */
  name?: string;
  contentType?: string;
}

/** What became of an upload. */
export interface Uploaded {
  /** Of what the server has, as it says; null with wire v1, which has none, and where the server had seen enough. */
  sha256: string | null;
  /** Whether that is also what this side has computed of what it sent. */
  verified: boolean;
}

export interface Prediction {
  /** The centre, in pixels. */
  x: number;
  y: number;
  width: number;
  height: number;
  /** From 0 to 1. */
  confidence: number;
  class: string;
  class_id: number;
  detection_id: string;
  /** For example what a bar code says. */
  text?: string;
  /** The same in all frames, if a tracker follows the object. */
  tracker_id?: number;
  /** The detection_id of what this is a part of. */
  parent_id?: string;
  /** What classifiers say of the object, the likeliest first. */
  classifications?: { class: string; class_id: number; confidence: number }[];
  /** Clockwise, in degrees: of an object that lies at an angle. x, y, width and height are then the upright box around it, */
  angle?: number;
  /** and these its corners, clockwise. */
  points?: { x: number; y: number }[];
  [field: string]: unknown;
}

/** What was found by an object detector: the output "predictions". */
export interface Predictions {
  image: { width: number; height: number };
  predictions: Prediction[];
}

/** The result of one frame. */
export interface Result {
  /** null if nothing was asked for. */
  serialized_output_data: { predictions?: Predictions; [output: string]: unknown } | null;
  video_metadata: {
    frame_id: number;
    received_at: string;
    /** Times time_base = seconds since the first frame. */
    pts: number | null;
    time_base: number | null;
    declared_fps: number | null;
    measured_fps: number | null;
    width: number | null;
    height: number | null;
  } | null;
  errors: string[];
  processing_complete: boolean;
  termination_reason: string | null;
}

export interface Completion {
  terminationReason: null;
  /** What went wrong on the way without ending it. */
  errors: string[];
}

/** A connection for one upload and its results. */
export class UploadClient {
  private constructor(options: ConnectOptions);
  static connect(url: string | URL, options?: ConnectOptions): Promise<UploadClient>;
  readonly state: ClientState;
  /** Results that nobody took in time. */
  readonly dropped: number;
  /** Settles when the server has said that it is done. */
  readonly completion: Promise<Completion>;
  /** For one reader. Throws at its end what ended the session early. */
  readonly results: AsyncIterableIterator<Result>;
  /**
   * Once. Resolves when the server has all of the file, or of a stream of bytes or Blobs, for which the server has to speak
   * wire v2.
   */
  upload(
    content: Blob | ReadableStream<Blob | BufferSource>,
    options?: UploadOptions,
  ): Promise<Uploaded>;
  /** Ends the session; what is under way rejects with `cancelled`. */
  close(): void;
}

/** Connects to a server, by its base address. Rejects with an UploadError. */
export function connect(url: string | URL, options?: ConnectOptions): Promise<UploadClient>;
