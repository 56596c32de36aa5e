import type { Bar, Row } from './scenario.ts';

/** Whether a bar holds. A figure that could not be measured is a miss. */
export function isMet(bar: Bar): boolean {
  return bar.value <= bar.limit;
}

/** `PASS|MISS bar value limit`, and between what the true value lies where that is known. */
export function barLine(bar: Bar): string {
  const { name, value, limit, spread } = bar;
  const between = spread === undefined ? '' : ` (${spread.from.toFixed(2)} to ${spread.to.toFixed(2)})`;
  return `${isMet(bar) ? 'PASS' : 'MISS'} ${name} ${Number(value.toFixed(3))} ${limit}${between}`;
}

/** Rows as a Markdown table. */
export function table(rows: readonly Row[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = [columns, ...rows.map((row) => columns.map((c) => String(row[c] ?? '')))];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i].length)));
  const lines = cells.map((line) => `| ${line.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`);
  lines.splice(1, 0, `|${widths.map((w) => '-'.repeat(w + 2)).join('|')}|`);
  return lines.join('\n');
}

/** Rows as one table for each run of rows that begin with the same column. */
export function tables(rows: readonly Row[]): string {
  const runs: Row[][] = [];
  for (const row of rows) {
    const last = runs.at(-1);
    if (last !== undefined && Object.keys(last[0])[0] === Object.keys(row)[0]) last.push(row);
    else runs.push([row]);
  }
  return runs.map(table).join('\n\n');
}
