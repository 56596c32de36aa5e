import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ROOT, temporaryFolder } from '../fixtures/process.ts';

const UNFORMATTED = '{"a":1,\n"b":[   ]}\n';

describe('the formatter', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  before(async () => {
    folder = await temporaryFolder();
    for (const file of ['biome.json', '.gitignore']) {
      await cp(path.join(ROOT, file), path.join(folder.path, file));
    }
    await writeFile(path.join(folder.path, 'sound.json'), '{ "a": 1 }\n');
  });
  after(() => folder.remove());

  const write = async (name: string): Promise<void> => {
    await mkdir(path.dirname(path.join(folder.path, name)), { recursive: true });
    await writeFile(path.join(folder.path, name), UNFORMATTED);
  };
  const exitCode = (): number | null =>
    spawnSync(path.join(ROOT, 'node_modules/.bin/biome'), ['ci', '.'], { cwd: folder.path }).status;

  it('leaves alone what Git ignores, such as what `npm start` keeps in .data', async () => {
    for (const ignored of ['.data', 'coverage', 'dist', 'node_modules']) await write(`${ignored}/a.json`);
    assert.equal(exitCode(), 0);
  });

  it('checks everything else', async () => {
    await write('src/a.json');
    assert.equal(exitCode(), 1);
  });
});
