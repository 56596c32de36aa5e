import { type FeedRow, linesOf } from './row.ts';

/** One network a line; what stands behind `#` or `;` is a comment. */
export function* plainRows(text: string): Generator<FeedRow> {
  for (const [number, line] of linesOf(text)) {
    const comment = line.search(/[#;]/);
    const row = comment === -1 ? line : line.slice(0, comment).trimEnd();
    if (row !== '') yield { text: row, place: `line ${number}` };
  }
}
