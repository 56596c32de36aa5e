/**
 * HalfSipHash with 64 bits out (Aumasson, Bernstein, "SipHash: a fast short-input PRF", 2012; the 32-bit variant
 * from its reference code) over the UTF-16LE bytes of a text. One round per word and three at the end, as hash
 * tables commonly take it, since nobody sees the hashes; other numbers are for the published test vectors. The seed is random per process: whoever
 * chooses the keys (addresses, headers) cannot aim them at one bucket, nor at another caller's counter.
 */
export class KeyHash {
  /** The two halves of the last hash, as signed words. Fields instead of a result: nothing is allocated. */
  low = 0;
  high = 0;
  readonly #wordRounds: number;
  readonly #lastRounds: number;

  constructor(wordRounds = 1, lastRounds = 3) {
    this.#wordRounds = wordRounds;
    this.#lastRounds = lastRounds;
  }

  /** Hashes `text` under the key (`k0`, `k1`) into `low` and `high`. */
  update(k0: number, k1: number, text: string): void {
    let v0 = k0;
    let v1 = k1 ^ 0xee;
    let v2 = 0x6c796765 ^ k0;
    let v3 = 0x74656462 ^ k1;
    const words = (text.length >> 1) + 1;
    // The words of the text, then the finalisation, once for each half.
    for (let block = 0; block < words + 2; block++) {
      let word = 0;
      if (block < words) word = wordAt(text, block);
      else if (block === words) v2 ^= 0xee;
      else v1 ^= 0xdd;
      v3 ^= word;
      for (let round = block < words ? this.#wordRounds : this.#lastRounds; round > 0; round--) {
        v0 = (v0 + v1) | 0;
        v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
        v0 = (v0 << 16) | (v0 >>> 16);
        v2 = (v2 + v3) | 0;
        v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
        v0 = (v0 + v3) | 0;
        v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
        v2 = (v2 + v1) | 0;
        v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
        v2 = (v2 << 16) | (v2 >>> 16);
      }
      v0 ^= word;
      if (block === words) this.low = v1 ^ v3;
    }
    this.high = v1 ^ v3;
  }
}

/** The text two units at a time; the last word holds the odd unit, if any, and the length in bytes. */
function wordAt(text: string, block: number): number {
  const at = block * 2;
  if (at + 1 < text.length) return text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16);
  return (at < text.length ? text.charCodeAt(at) : 0) | (text.length << 25);
}
