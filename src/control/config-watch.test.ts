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
      onChange: () => resolve(),
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

  describe('files that the document names', () => {
    /** Watches a document, follows `files`, and resolves with what was told after the change. */
    const tells = async (
      files: Readonly<Record<string, string>>,
      change: (document: string) => Promise<void>,
    ) => {
      const document = path.join(await mkdtemp(path.join(folder, 'named-')), 'gateway.yaml');
      await writeFile(document, 'one');
      const { promise, resolve } = Promise.withResolvers<string>();
      const options = { path: document, onChange: resolve, log, restMs: 5, pollMs: 3_600_000 };
      const watch = await ConfigWatch.start(options);
      for (const [name, text] of Object.entries(files)) {
        await mkdir(path.dirname(path.resolve(path.dirname(document), name)), { recursive: true });
        await writeFile(path.resolve(path.dirname(document), name), text);
      }
      await watch.follow(files);
      await change(document);
      const told = await promise;
      watch.close();
      return told;
    };
    const beside = (document: string, name: string) => path.join(path.dirname(document), name);

    const cases: [
      name: string,
      files: Record<string, string>,
      change: (document: string) => Promise<void>,
    ][] = [
      ['beside it', { 'deny.txt': 'a' }, (d) => writeFile(beside(d, 'deny.txt'), 'ab')],
      ['below it', { 'lists/deny.txt': 'a' }, (d) => writeFile(beside(d, 'lists/deny.txt'), 'ab')],
      ['above it', { '../deny.txt': 'a' }, (d) => writeFile(beside(d, '../deny.txt'), 'ab')],
      ['that go', { 'deny.txt': 'a' }, (d) => rm(beside(d, 'deny.txt'))],
      [
        'that others take the place of',
        { 'deny.txt': 'a' },
        async (d) => {
          await writeFile(beside(d, 'new'), 'b');
          await rename(beside(d, 'new'), beside(d, 'deny.txt'));
        },
      ],
    ];
    for (const [name, files, change] of cases) {
      it(`are noticed: ${name}`, async () => assert.equal(await tells(files, change), 'files'));
    }

    it('are told apart from the document', async () => {
      assert.equal(await tells({ 'deny.txt': 'a' }, (d) => writeFile(d, 'other')), 'document');
    });

    it('are noticed when they changed before they were followed', async () => {
      const file = path.join(folder, 'g.yaml');
      await writeFile(file, 'g');
      await writeFile(path.join(folder, 'key'), 'old\n');
      const told: string[] = [];
      const { promise, resolve } = Promise.withResolvers<void>();
      const onChange = (what: string) => {
        told.push(what);
        resolve();
      };
      const watch = await ConfigWatch.start({ path: file, onChange, log, restMs: 5, pollMs: 3_600_000 });
      await watch.follow({ key: 'old' });
      await writeFile(path.join(folder, 'deny.txt'), 'newer');
      await watch.follow({ key: 'old', 'deny.txt': 'read before' });
      await promise;
      assert.deepEqual(told, ['files']);
      watch.close();
    });

    it('are left alone once they are no longer named', async () => {
      const file = path.join(folder, 'h.yaml');
      await writeFile(file, 'h');
      await writeFile(path.join(folder, 'left.txt'), 'a');
      let changes = 0;
      const options = { path: file, onChange: () => changes++, log, restMs: 1, pollMs: 3_600_000 };
      const watch = await ConfigWatch.start(options);
      await watch.follow({ 'left.txt': 'a' });
      await watch.follow({});
      await writeFile(path.join(folder, 'left.txt'), 'b');
      await notices(path.join(folder, 'i.yaml'), () => writeFile(path.join(folder, 'i.yaml'), 'i'));
      assert.equal(changes, 0);
      watch.close();
    });
  });

  it('notices by looking where nothing is told', async () => {
    const file = path.join(folder, 'absent', 'd.yaml');
    const { promise, resolve } = Promise.withResolvers<void>();
    const watch = await ConfigWatch.start({
      path: file,
      onChange: () => resolve(),
      log,
      restMs: 1,
      pollMs: 5,
    });
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
