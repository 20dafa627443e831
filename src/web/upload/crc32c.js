// SPDX-License-Identifier: LGPL-2.1-or-later
//
// CRC-32C (Castagnoli), as the blocks of wire v2 carry it.

// The polynomial, reflected.
const CASTAGNOLI = 0x82f63b78;
// Table 0 is for one byte. Table n is for a byte that n further ones follow: eight bytes then need one step.
const CRC_TABLES = crcTables();

function crcTables() {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? CASTAGNOLI : 0);
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at += 1) {
    const crc = tables[at - 256];
    tables[at] = (crc >>> 8) ^ tables[crc & 255];
  }
  return tables;
}

/**
 * The CRC-32C of bytes.
 * @param {Uint8Array} bytes
 * @returns {number} unsigned
 */
export function crc32c(bytes) {
  const tables = CRC_TABLES;
  const whole = bytes.length - (bytes.length % 8);
  let crc = -1;
  let at = 0;
  for (; at < whole; at += 8) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    crc =
      tables[1792 + (crc & 255)] ^
      tables[1536 + ((crc >>> 8) & 255)] ^
      tables[1280 + ((crc >>> 16) & 255)] ^
      tables[1024 + (crc >>> 24)] ^
      tables[768 + bytes[at + 4]] ^
      tables[512 + bytes[at + 5]] ^
      tables[256 + bytes[at + 6]] ^
      tables[bytes[at + 7]];
  }
  for (; at < bytes.length; at += 1) crc = (crc >>> 8) ^ tables[(crc ^ bytes[at]) & 255];
  return ~crc >>> 0;
}
