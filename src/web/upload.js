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

export { connect, UploadClient } from './upload/client.js';
export { UploadError } from './upload/errors.js';
export { errorFromReply, getLimits } from './upload/http.js';
export { ProgressMeter } from './upload/progress.js';
export { dropIn, parseIceLinks, whip } from './upload/signalling.js';
export { Sha256 } from './upload/sha256.js';
export { encodeBlock } from './upload/v2_wire.js';
export { CHUNK_BYTES, encodeChunk, ResultAssembler } from './upload/wire.js';
