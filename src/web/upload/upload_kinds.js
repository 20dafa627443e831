// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The upload of a session in either wire format: how it begins, and how it is given up.

import { UploadChannel } from './upload_channel.js';
import { V2Upload } from './v2_upload.js';
import { V2_PROTOCOL } from './v2_wire.js';

// With these the server is told that nothing more comes, and why.
const GIVEN_UP = ['cancelled', 'empty-upload', 'file-unreadable', 'stream-failed'];
// The connection stays so long for that to get out.
const LAST_WORD_MS = 1000;

/** A channel of the connection's, and what sends a file over it. */
export function openUpload(connection, { protocol, label }, end, handlers) {
  if (protocol !== 'v2') {
    const channel = connection.createDataChannel(label);
    return { channel, upload: new UploadChannel(channel, end, handlers.onRefusal) };
  }
  const channel = connection.createDataChannel(label, { protocol: V2_PROTOCOL });
  return { channel, upload: new V2Upload(channel, end, handlers) };
}

/**
 * Tells the server why nothing more comes, if that is for this side to say: a promise, until it knows or does not listen, or
 * null.
 */
export function sayLastWord(upload, failure) {
  if (!GIVEN_UP.includes(failure?.code) || failure.remote || !upload?.cancel) return null;
  const late = new Promise((resolve) => {
    setTimeout(resolve, LAST_WORD_MS);
  });
  const reason = failure.code === 'cancelled' ? null : failure.message;
  return Promise.race([upload.cancel(reason), late]);
}
