import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { OfferedBundle } from './offered-bundle.ts';
import type { PublishOrigin, PublishRequest, PublishResult } from './publisher.ts';
import { Reload } from './reload.ts';

const bundle = (revision: string, text: string): OfferedBundle => ({
  revision,
  text,
  json: '{}',
  files: { 'deny.txt': 'as it was read' },
  fileHashes: {},
  secrets: { 'file:key': 'a secret', 'env:TOKEN': 'no file' },
  binaries: {},
  lists: { feeds: [], inline: {}, proxies: [] },
  rollout: undefined,
  documentHash: '',
});

describe('reload after a file has changed', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'sallyport-reload-'));
    await writeFile(path.join(folder, 'gateway.yaml'), 'document');
    await writeFile(path.join(folder, 'key'), 'a secret\n');
  });
  after(() => rm(folder, { recursive: true }));

  /** Starts with `deny.txt` changed, and resolves with what was asked for until an offer was taken. */
  const asked = async (takenFrom: PublishOrigin, outcomes: PublishResult['outcome'][]) => {
    const served = [bundle('r1', 'first'), bundle('r2', 'second')];
    const requests: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const publish = async ({ origin, expectedRevision, load }: PublishRequest<OfferedBundle>) => {
      const { text } = await load();
      requests.push(`${origin} ${expectedRevision} ${text}`);
      const outcome = outcomes.shift();
      if (outcome === 'stale') served.shift();
      else resolve();
      return { outcome: outcome ?? 'activated', revision: 'r', rollout: 'x', issues: [] };
    };
    await writeFile(path.join(folder, 'deny.txt'), 'changed');
    const reload = await Reload.start({
      publisher: { publish, takenFrom },
      sources: {
        fromDisk: async () => bundle('', 'from disk'),
        fromText: async (text) => bundle('', text),
      },
      active: () => served[0],
      path: path.join(folder, 'gateway.yaml'),
      log: { info() {}, warn() {}, error() {} },
    });
    await reload.follow();
    // The watch itself does not keep the process alive.
    const alive = setInterval(() => {}, 1000);
    await promise;
    clearInterval(alive);
    reload.close();
    return requests;
  };

  const cases: [
    name: string,
    from: PublishOrigin,
    outcomes: PublishResult['outcome'][],
    requests: string[],
  ][] = [
    ['offers the document on disk', 'file', [], ['file r1 from disk']],
    ['offers it in place of the last good one, too', 'start', [], ['file r1 from disk']],
    ['offers the document of the API again', 'api', [], ['api r1 first']],
    ['asks again when another came first', 'api', ['stale'], ['api r1 first', 'api r2 second']],
    ['does not ask again when it is refused', 'file', ['refused'], ['file r1 from disk']],
  ];
  for (const [name, from, outcomes, requests] of cases) {
    it(name, async () => assert.deepEqual(await asked(from, outcomes), requests));
  }
});

describe('a document on disk that goes its way', () => {
  const LOG = { info() {}, warn() {}, error() {} };

  /** A watch that is told of nothing by itself, over a publisher that gives these outcomes in order. */
  async function world(takenFrom: PublishOrigin, outcomes: PublishResult['outcome'][]) {
    const folder = await mkdtemp(path.join(tmpdir(), 'sallyport-reload-way-'));
    after(() => rm(folder, { recursive: true }));
    const active = { ...bundle('live', 'live text'), files: {}, secrets: {} };
    const requests: string[] = [];
    let isBusy = true;
    const reload = await Reload.start({
      publisher: {
        takenFrom,
        publish: async ({ origin, load }) => {
          requests.push(`${origin}: ${(await load()).text}`);
          const outcome = outcomes.shift() ?? 'activated';
          return { outcome, revision: 'r', rollout: 'x', issues: [] };
        },
      },
      sources: {
        fromDisk: async () => bundle('', 'disk text'),
        fromText: async (text) => bundle('', text),
      },
      active: () => active,
      path: path.join(folder, 'gateway.yaml'),
      log: LOG,
      isBusy: () => isBusy,
    });
    after(() => reload.close());
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    return { reload, requests, settle, ended: () => (isBusy = false) };
  }

  it('is offered again when what it had to wait for is over', async () => {
    const { reload, requests, settle, ended } = await world('file', ['busy', 'rollout']);
    reload.fromDisk('file');
    await settle();
    assert.equal(requests.length, 1);
    ended();
    reload.offerAgain();
    await settle();
    reload.offerAgain();
    await settle();
    assert.deepEqual(requests, ['file: disk text', 'file: disk text']);
  });

  it('is offered again at once when that is over before it waits', async () => {
    const { reload, requests, settle, ended } = await world('file', ['busy', 'rollout']);
    ended();
    reload.fromDisk('file');
    await settle();
    assert.equal(requests.length, 2);
  });
});

describe('a file of what is live that changes while the document on disk is another', () => {
  const cases: readonly [
    name: string,
    from: PublishOrigin,
    first: PublishResult['outcome'] | undefined,
    asked: string,
  ][] = [
    ['renews the document on disk where that is live', 'file', undefined, 'file: disk text'],
    ['renews what is live while that on disk is on its way', 'file', 'rollout', 'store: live text'],
    ['renews what the store had', 'store', undefined, 'store: live text'],
    ['renews what was gone back to', 'rollback', undefined, 'rollback: live text'],
  ];
  for (const [name, takenFrom, first, asked] of cases) {
    it(name, async () => {
      const folder = await mkdtemp(path.join(tmpdir(), 'sallyport-reload-file-'));
      await writeFile(path.join(folder, 'gateway.yaml'), 'document');
      await writeFile(path.join(folder, 'deny.txt'), 'changed');
      const { promise, resolve } = Promise.withResolvers<string>();
      let isFirst = first !== undefined;
      const reload = await Reload.start({
        publisher: {
          takenFrom,
          publish: async ({ origin, load, isRenewal }) => {
            const { text } = await load();
            if (isFirst) {
              isFirst = false;
              return { outcome: first ?? 'activated', revision: 'r', rollout: 'x', issues: [] };
            }
            if (isRenewal === true) resolve(`${origin}: ${text}`);
            return { outcome: 'activated', revision: 'r' };
          },
        },
        sources: {
          fromDisk: async () => bundle('', 'disk text'),
          fromText: async (text) => bundle('', text),
        },
        active: () => ({ ...bundle('live', 'live text'), secrets: {} }),
        path: path.join(folder, 'gateway.yaml'),
        log: { info() {}, warn() {}, error() {} },
      });
      if (first !== undefined) {
        reload.fromDisk('file');
        await new Promise((done) => setImmediate(done));
      }
      await reload.follow();
      const alive = setInterval(() => {}, 1000);
      assert.equal(await promise, asked);
      clearInterval(alive);
      reload.close();
      await rm(folder, { recursive: true });
    });
  }
});
