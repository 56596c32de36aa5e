/** Slots of a cluster (Redis Cluster Specification, "Key distribution model"). */
export const SLOTS = 16_384;

const POLYNOMIAL = 0x1021;

/** The slot of a key's tag, by CRC-16 (XMODEM). The tag is ASCII. */
export function slotOf(tag: string): number {
  let crc = 0;
  for (let i = 0; i < tag.length; i++) {
    crc ^= tag.charCodeAt(i) << 8;
    for (let bit = 0; bit < 8; bit++)
      crc = crc & 0x8000 ? ((crc << 1) ^ POLYNOMIAL) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc % SLOTS;
}
