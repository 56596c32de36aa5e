import { shrinkRecord } from './shrink-record.ts';

/** Whole lines that are written at once. */
export interface LineBatch {
  readonly bytes: Buffer;
  used: number;
  lines: number;
}

export const NEWLINE = 0x0a;

const emptyBatch = (size: number): LineBatch => ({ bytes: Buffer.allocUnsafeSlow(size), used: 0, lines: 0 });

/** Lines in batches of another size. The last one is to be filled further, and may be empty. */
export interface Recut {
  readonly full: readonly LineBatch[];
  readonly last: LineBatch;
  /** Lines that could not even be shrunk to that size. */
  readonly dropped: number;
}

/** Cuts batches anew, at line ends, so that none is larger than `size` bytes. */
export function recutBatches(batches: readonly LineBatch[], size: number): Recut {
  const full: LineBatch[] = [];
  let last = emptyBatch(size);
  let dropped = 0;
  for (const whole of batches.flatMap(linesOf)) {
    const line = fitted(whole, size);
    if (line === undefined) {
      dropped++;
      continue;
    }
    if (last.used + line.length > size) {
      full.push(last);
      last = emptyBatch(size);
    }
    last.used += line.copy(last.bytes, last.used);
    last.lines++;
  }
  return { full, last, dropped };
}

/** Each with its line feed. */
function linesOf({ bytes, used }: LineBatch): Buffer[] {
  const lines: Buffer[] = [];
  for (let from = 0; from < used; ) {
    const end = bytes.indexOf(NEWLINE, from) + 1;
    lines.push(bytes.subarray(from, end));
    from = end;
  }
  return lines;
}

function fitted(line: Buffer, size: number): Buffer | undefined {
  if (line.length <= size) return line;
  const shrunk = shrinkRecord(line.toString('utf8', 0, line.length - 1), size - 1);
  return shrunk === undefined ? undefined : Buffer.from(`${shrunk}\n`);
}
