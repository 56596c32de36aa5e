/**
 * `node bench/run.ts NAME [--json] [--rounds N] [--seconds S]`: measures one scenario of `bench/scenarios/`, prints
 * its table and one line `PASS|MISS bar value limit` per bar. Exits 1 on a miss, 2 for usage.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isMet, table } from './lib/report.ts';
import type { Outcome, Scenario } from './lib/scenario.ts';

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
  const name = positionals[0] ?? '';
  if (!/^[a-z][a-z0-9-]*$/.test(name) || !existsSync(join(FOLDER, `${name}.ts`))) {
    console.error(`usage: bench NAME [--json] [--rounds N] [--seconds S], NAME one of ${names().join(', ')}`);
    return 2;
  }
  const { default: scenario }: { default: Scenario } = await import(`./scenarios/${name}.ts`);
  const log = (line: string) => console.error(line);
  log(scenario.title);
  const options = { rounds: Number(values.rounds), seconds: Number(values.seconds), log };
  const outcome = await scenario.run(options);
  print(name, outcome, values.json);
  return outcome.bars.every(isMet) ? 0 : 1;
}

function print(name: string, outcome: Outcome, json: boolean): void {
  if (json) console.log(JSON.stringify({ name, node: process.version, ...outcome }, null, 2));
  else console.log(table(outcome.rows));
  for (const bar of outcome.bars) {
    console.log(`${isMet(bar) ? 'PASS' : 'MISS'} ${bar.name} ${Number(bar.value.toFixed(3))} ${bar.limit}`);
  }
}

process.exitCode = await main();
