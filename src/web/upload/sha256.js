// SPDX-License-Identifier: LGPL-2.1-or-later
//
// SHA-256 (FIPS 180-4) of bytes that come one part after the other. crypto.subtle wants all of them at once, and is
// not there on pages without TLS.

const SHA_BLOCK = 64;
// The first 32 bits of the fractional parts of the square and cube roots of the first primes.
const SHA_PRIMES = firstPrimes(64);
const SHA_START = SHA_PRIMES.slice(0, 8).map((prime) => fractionBits(Math.sqrt(prime)));
const SHA_ROUNDS = Int32Array.from(SHA_PRIMES, (prime) => fractionBits(Math.cbrt(prime)));

function firstPrimes(count) {
  const primes = [];
  for (let number = 2; primes.length < count; number += 1) {
    if (primes.every((prime) => number % prime > 0)) primes.push(number);
  }
  return primes;
}

function fractionBits(root) {
  return Math.floor((root % 1) * 2 ** 32) | 0;
}

/** SHA-256, part by part. */
export class Sha256 {
  #state = Int32Array.from(SHA_START);
  #words = new Int32Array(16);
  #rest = new Uint8Array(SHA_BLOCK);
  #resting = 0;
  #bytes = 0;

  /** @param {Uint8Array} bytes */
  update(bytes) {
    this.#bytes += bytes.length;
    let at = 0;
    if (this.#resting > 0) {
      at = Math.min(SHA_BLOCK - this.#resting, bytes.length);
      this.#rest.set(bytes.subarray(0, at), this.#resting);
      this.#resting += at;
      if (this.#resting < SHA_BLOCK) return;
      this.#take(this.#rest, 0);
      this.#resting = 0;
    }
    for (; at + SHA_BLOCK <= bytes.length; at += SHA_BLOCK) this.#take(bytes, at);
    this.#resting = bytes.length - at;
    this.#rest.set(bytes.subarray(at));
  }

  /**
   * Once, after the last part.
   * @returns {string} 64 hexadecimal digits
   */
  digest() {
    const bits = this.#bytes * 8;
    // One bit, and zeros until the length fits at the end of a block.
    const padding = new Uint8Array(SHA_BLOCK - ((this.#bytes + 8) % SHA_BLOCK) + 8);
    padding[0] = 0x80;
    const length = new DataView(padding.buffer, padding.length - 8);
    length.setUint32(0, Math.floor(bits / 2 ** 32));
    length.setUint32(4, bits >>> 0);
    this.update(padding);
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  #take(bytes, start) {
    const words = this.#words;
    for (let i = 0, at = start; i < 16; i += 1, at += 4) {
      words[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    }
    compress(this.#state, words);
  }
}

// One block, whose 64 bytes are the first 16 words.
function compress(state, words) {
  const rounds = SHA_ROUNDS;
  let a = state[0] | 0;
  let b = state[1] | 0;
  let c = state[2] | 0;
  let d = state[3] | 0;
  let e = state[4] | 0;
  let f = state[5] | 0;
  let g = state[6] | 0;
  let h = state[7] | 0;
  for (let i = 0; i < 64; i += 1) {
    let word = words[i & 15] | 0;
    if (i > 15) {
      const x = words[(i + 1) & 15] | 0;
      const y = words[(i + 14) & 15] | 0;
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      word = (word + s0 + words[(i + 9) & 15] + s1) | 0;
      words[i & 15] = word;
    }
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + (g ^ (e & (f ^ g))) + rounds[i] + word) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) | (c & (a | b)))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
  state[5] += f;
  state[6] += g;
  state[7] += h;
}
