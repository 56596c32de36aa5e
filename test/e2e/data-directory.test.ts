import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort } from '../fixtures/gateway.ts';
import { Program, temporaryFolder } from '../fixtures/process.ts';

describe('a data directory in use', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  before(async () => {
    folder = await temporaryFolder();
  });
  after(() => folder.remove());

  const start = async (name: string): Promise<Program> => {
    const document = { sallyport: 1, listeners: [{ name, address: `127.0.0.1:${await freePort()}` }] };
    await writeFile(path.join(folder.path, `${name}.json`), JSON.stringify(document));
    const args = ['run', '--config', `${name}.json`, '--data', 'data', '--admin', 'off', '--workers', '1'];
    return new Program(args, { cwd: folder.path });
  };

  it('ends the start of a second gateway and is left as it was; a killed one holds nothing', async () => {
    const lastGood = path.join(folder.path, 'data/last-good.json');
    const first = await start('first');
    try {
      await first.says(/Sallyport serves/);
      const kept = await readFile(lastGood, 'utf8');
      const second = await start('second');
      assert.equal(await second.exit(), 1);
      assert.match(second.stderr, new RegExp(`process ${first.process.pid}\\) uses the data directory data`));
      assert.match(second.stderr, /--data DIR/);
      assert.equal(await readFile(lastGood, 'utf8'), kept);
      first.signal('SIGKILL');
      await first.exit();
      const third = await start('third');
      await third.says(/Sallyport serves/);
      assert.notEqual(await readFile(lastGood, 'utf8'), kept);
      await third.stop();
      assert.equal(await third.exit(), 0);
    } finally {
      await first.stop();
    }
  });
});
