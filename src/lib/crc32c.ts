/** Reflected form of the Castagnoli polynomial (RFC 3720 §12.1). */
const POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let word = byte;
  for (let bit = 0; bit < 8; bit++) word = (word & 1) === 1 ? (word >>> 1) ^ POLYNOMIAL : word >>> 1;
  return word;
});

/** CRC-32C of `bytes` from `from` to `to`; `before` is the sum of what came before them. Unsigned. */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length, before = 0): number {
  let sum = ~before;
  for (let i = from; i < to; i++) sum = TABLE[(sum ^ bytes[i]) & 0xff] ^ (sum >>> 8);
  return ~sum >>> 0;
}
