/** `npm run example -- NAME`: runs examples/NAME/story.ts, which exits 0 only when its whole story holds. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';

const HERE = import.meta.dirname;
const STORY = 'story.ts';

/** Names of the examples that have a story. */
export function exampleNames(): readonly string[] {
  const folders = readdirSync(HERE, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.map((entry) => entry.name).filter((name) => existsSync(path.join(HERE, name, STORY)));
}

function main(name: string | undefined): number {
  const names = exampleNames();
  if (name === undefined || !names.includes(name)) {
    console.error(`Usage: npm run example -- NAME, where NAME is one of: ${names.join(', ')}`);
    return 2;
  }
  const { status } = spawnSync(process.execPath, [path.join(HERE, name, STORY)], { stdio: 'inherit' });
  return status ?? 1;
}

if (import.meta.main) process.exitCode = main(process.argv[2]);
