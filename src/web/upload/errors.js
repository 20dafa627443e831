// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What can go wrong: the one class of errors, and those that come from more than one place.

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

/** The session is over, and another one may do: it is no fault of the file's, as far as anybody knows. */
export class SessionLost extends Error {
  /** @param {UploadError} error what it is if nothing comes of that */
  constructor(error) {
    super(error.message);
    this.error = error;
  }
}

// Of anything out of JSON. String() would call what an object in it names toString.
export const textOf = (value) =>
  typeof value === 'object' ? Object.prototype.toString.call(value) : String(value);

export const cancelled = () => new UploadError('cancelled', 'The upload was cancelled.');
export const gone = () => new UploadError('peer-gone', 'The connection to the server was lost.');
export const serverGone = (cause) =>
  new UploadError('server-gone', 'The server is gone: it was stopped or restarted.', { cause });
export const bad = (what) => new UploadError('bad-result', `The server sent ${what}.`);

export function unexpected(cause) {
  if (cause?.name === 'NotReadableError' || cause?.name === 'NotFoundError') {
    const sentence = 'The file cannot be read: it was changed, moved or removed.';
    return new UploadError('file-unreadable', sentence, { cause });
  }
  return new UploadError('internal-error', cause?.message ?? String(cause), { cause });
}
