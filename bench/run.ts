/**
 * `node bench/run.ts NAME [--json] [--rounds N] [--seconds S]`: measures one scenario of `bench/scenarios/`, or `all`
 * of them one after the other; prints each table and then one line `PASS|MISS bar value limit` per bar, and its interval where there is one. Exits 1 on a
 * miss, 2 for usage.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { barLine, isMet, tables } from './lib/report.ts';
import type { Bar, Outcome, Scenario } from './lib/scenario.ts';

const FOLDER = join(import.meta.dirname, 'scenarios');

function names(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -3));
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '4' },
    },
  });
  const wanted = positionals[0] === 'all' ? names() : positionals.slice(0, 1);
  if (wanted.length === 0 || !wanted.every((name) => names().includes(name))) {
    const known = ['all', ...names()].join(', ');
    console.error(`usage: bench NAME [--json] [--rounds N] [--seconds S], NAME one of ${known}`);
    return 2;
  }
  const log = (line: string) => console.error(line);
  const options = { rounds: Number(values.rounds), seconds: Number(values.seconds), log };
  const bars: Bar[] = [];
  for (const name of wanted) {
    const { default: scenario }: { default: Scenario } = await import(`./scenarios/${name}.ts`);
    log(scenario.title);
    const outcome = await scenario.run(options);
    print(name, outcome, values.json);
    bars.push(...outcome.bars);
  }
  for (const bar of bars) {
    console.log(barLine(bar));
  }
  return bars.every(isMet) ? 0 : 1;
}

function print(name: string, outcome: Outcome, json: boolean): void {
  if (json) console.log(JSON.stringify({ name, node: process.version, ...outcome }, null, 2));
  else console.log(tables(outcome.rows));
}

process.exitCode = await main();
