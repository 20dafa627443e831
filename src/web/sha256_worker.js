// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A worker that computes one SHA-256: it is sent the bytes, part by part, and null at their end. It gives the
// memory of each part back.

import { Sha256 } from './upload.js';

const hash = new Sha256();
addEventListener('message', ({ data }) => {
  if (data === null) {
    postMessage({ digest: hash.digest() });
  } else {
    hash.update(data);
    postMessage({ hashed: data.buffer }, [data.buffer]);
  }
});
postMessage({ ready: true });
