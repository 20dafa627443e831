// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The JavaScript client that the tests are of: as it is written, or the one file that is served if UPLOAD_JS says where
// that is.

export const uploadJs = await import(process.env.UPLOAD_JS ?? '../../src/web/upload.js');
