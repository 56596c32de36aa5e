import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ConfigWatch } from './config-watch.ts';

const log = { info() {}, warn() {}, error() {} };

describe('config watch', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'sallyport-watch-'));
  });
  after(() => rm(folder, { recursive: true }));

  /** Starts watching, makes the change, and resolves when it was noticed; polling is out of the game. */
  const notices = async (watched: string, change: () => Promise<void>): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const watch = await ConfigWatch.start({
      path: watched,
      onChange: resolve,
      log,
      restMs: 5,
      pollMs: 3_600_000,
    });
    await change();
    await promise;
    watch.close();
  };

  it('notices a document written in place', async () => {
    const file = path.join(folder, 'a.yaml');
    await writeFile(file, 'one');
    await notices(file, () => writeFile(file, 'other'));
  });

  it('notices a document replaced by a rename, time after time', async () => {
    const file = path.join(folder, 'b.yaml');
    await writeFile(file, '0');
    for (const content of ['1', '2', '3']) {
      await notices(file, async () => {
        await writeFile(`${file}.tmp`, content);
        await rename(`${file}.tmp`, file);
      });
    }
  });

  it('notices a swapped link, as Kubernetes mounts change', async () => {
    const mount = path.join(folder, 'mount');
    for (const version of ['v1', 'v2']) {
      await mkdir(path.join(mount, version), { recursive: true });
      await writeFile(path.join(mount, version, 'gateway.yaml'), version);
    }
    await symlink('v1', path.join(mount, '..data'));
    const file = path.join(mount, 'gateway.yaml');
    await symlink('..data/gateway.yaml', file);
    await notices(file, async () => {
      await symlink('v2', path.join(mount, '..tmp'));
      await rename(path.join(mount, '..tmp'), path.join(mount, '..data'));
    });
  });

  it('notices a document added to a folder', async () => {
    const several = path.join(folder, 'several');
    await mkdir(several);
    await notices(several, () => writeFile(path.join(several, 'c.yaml'), 'c'));
  });

  it('notices by looking where nothing is told', async () => {
    const file = path.join(folder, 'absent', 'd.yaml');
    const { promise, resolve } = Promise.withResolvers<void>();
    const watch = await ConfigWatch.start({ path: file, onChange: resolve, log, restMs: 1, pollMs: 5 });
    await mkdir(path.dirname(file));
    await writeFile(file, 'd');
    // The watch itself does not keep the process alive.
    const alive = setInterval(() => {}, 1000);
    await promise;
    clearInterval(alive);
    watch.close();
  });

  it('says nothing of other files in the folder', async () => {
    const file = path.join(folder, 'e.yaml');
    await writeFile(file, 'e');
    let changes = 0;
    const watch = await ConfigWatch.start({
      path: file,
      onChange: () => changes++,
      log,
      restMs: 1,
      pollMs: 3_600_000,
    });
    await writeFile(path.join(folder, 'records.jsonl'), 'x');
    await notices(path.join(folder, 'f.yaml'), () => writeFile(path.join(folder, 'f.yaml'), 'f'));
    assert.equal(changes, 0);
    watch.close();
  });
});
