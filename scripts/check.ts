/** `npm run check`: everything that must hold before a commit, cheapest first. Prints output of failures only. */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');

interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

const node = (...args: string[]): readonly string[] => [process.execPath, ...args];
const unitTests = globSync('src/**/*.test.ts', { cwd: root });

const STEPS: readonly Step[] = [
  { name: 'format and lint', command: ['biome', 'ci', '--colors=off', '--error-on-warnings', '.'] },
  { name: 'types', command: ['tsc'] },
  { name: 'policy docs match their schemas', command: node('scripts/policy-docs.ts', '--check') },
  { name: 'published schema is current', command: node('scripts/publish-schema.ts', '--check') },
  { name: 'architecture', command: node('--test', 'test/architecture.test.ts') },
  { name: 'unit tests', command: node('--test', '--test-concurrency=2', ...unitTests) },
];

function run(step: Step): boolean {
  const startedMs = performance.now();
  const [command, ...args] = step.command;
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const passed = result.status === 0;
  console.log(`${passed ? 'ok  ' : 'FAIL'} ${step.name} (${seconds} s)`);
  if (!passed) console.log(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`);
  return passed;
}

const failed = STEPS.filter((step) => !run(step));
process.exitCode = failed.length === 0 ? 0 : 1;
