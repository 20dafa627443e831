// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How much of a file is on its way inside the browser, in either wire format.

import { CHUNK_BYTES } from './wire.js';

// Sending stops above the first and goes on below the second. A longer queue is slower: its bytes
// have left the processor's cache when their turn comes. (`./dev bench upload_js`)
export const BUFFER_HIGH = 256 * 1024;
export const BUFFER_LOW = 128 * 1024;
// How often the buffer is looked at where no event tells of it, as in @roamhq/wrtc.
export const BUFFER_POLL_MS = 10;

// So much is read from the file at once: whole chunks. Reading has a price for each call.
export const READ_BYTES = 32 * CHUNK_BYTES;

// Blocks stay in memory until the server has them, at most so many bytes: twice the window that servers have by default, so
// that it is their credit that counts.
export const MAX_UNDER_WAY = 16 * 1024 * 1024;
