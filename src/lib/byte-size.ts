const BYTES_PER_UNIT: Readonly<Record<string, number>> = Object.freeze({
  B: 1,
  kB: 1000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
});
const BYTE_SIZE = /^(0|[1-9][0-9]{0,8})(B|kB|MB|GB|KiB|MiB|GiB)$/;

/** What a size in a document looks like, for the messages that refuse one. */
export const BYTE_SIZE_FORM = 'a whole number and a unit: 512B, 64kB, 1MB, 2GB (or 64KiB, 1MiB, 2GiB)';

/** JSON Schema pattern of a size, so that editors see what `parseByteSize` accepts. */
export const BYTE_SIZE_PATTERN = BYTE_SIZE.source;

/** Bytes of `64kB` (64,000) or `64KiB` (65,536; IEC 80000-13); undefined for any other form. */
export function parseByteSize(text: string): number | undefined {
  const match = BYTE_SIZE.exec(text);
  return match === null ? undefined : Number(match[1]) * BYTES_PER_UNIT[match[2]];
}
