import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { ConfigError } from '../errors.ts';
import { Activation } from '../lifecycle/index.ts';
import { createMeter } from '../observability/index.ts';
import { type DiskDecision, LastGood, openSqliteStore } from '../store/index.ts';
import { publishFirst } from './first-revision.ts';
import type { OfferedBundle } from './offered-bundle.ts';
import { Publisher } from './publisher.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-first-'));
after(() => rmSync(folder, { recursive: true }));
let made = 0;

/** A revision is named by its text. */
const bundle = (revision: string): OfferedBundle => ({
  revision,
  text: revision,
  json: '{}',
  files: {},
  fileHashes: {},
  secrets: {},
  binaries: {},
  lists: { feeds: [], inline: {}, proxies: [] },
  rollout: undefined,
  documentHash: revision,
});

interface World {
  /** What is written on disk; undefined where it cannot be read. */
  readonly disk: string | undefined;
  /** What was decided of the document on disk. */
  readonly decided?: DiskDecision;
  /** What was active, the latest last. */
  readonly active?: readonly string[];
  readonly lastGood?: string;
  /** Revisions that cannot be compiled; with `kept:` only with their files as they were. */
  readonly bad?: readonly string[];
  readonly goingLive?: string;
  readonly isStoreGone?: boolean;
  readonly isShared?: boolean;
}

async function start(world: World): Promise<string> {
  const { disk, decided, active = [], bad = [] } = world;
  const store = openSqliteStore(':memory:');
  for (const id of new Set([...active, ...(world.goingLive === undefined ? [] : [world.goingLive])]))
    await store.putRevision({ id, document: id, files: {}, createdAt: 1, author: 'a', reason: '' });
  for (const id of active) await store.setActive(id, 1);
  if (world.goingLive !== undefined) {
    const row = { id: 'r1', revision: world.goingLive, base: '', isOpen: true, startedAt: 1 };
    await store.rollouts.begin({ ...row, state: { phase: 'activating' } });
  }
  const lastGood = new LastGood(path.join(folder, `${made++}.json`));
  if (world.lastGood !== undefined)
    lastGood.save({ revision: world.lastGood, document: world.lastGood, files: {}, savedAt: 1 });
  const load = async (name: string, as = name): Promise<OfferedBundle> => {
    if (bad.includes(as)) throw ConfigError.at('', `${as} is bad`);
    return bundle(name);
  };
  const log = { info() {}, warn() {}, error() {} };
  let here = '';
  const activation = new Activation<OfferedBundle>();
  const worker = {
    id: 1,
    prepare: noop,
    activate: noop,
    discard: noop,
    setTrial: noop,
    endTrial: noop,
    retire() {},
  };
  await activation.admit(worker);
  const publisher = new Publisher<OfferedBundle>({
    activation,
    clock: { now: () => 1, monotonic: () => 1 },
    log,
    meter: createMeter(),
    isSame: () => false,
    remember: async ({ isFollowed }, _, { outcome }) => {
      if (outcome === 'activated') here = isFollowed === true ? ', here alone' : '';
    },
  });
  const sources = {
    fromDisk: () => (disk === undefined ? Promise.reject(ConfigError.at('', 'no document')) : load(disk)),
    fromText: (text: string) => load(text),
    fromLastGood: ({ revision }: { revision: string }) => load(revision, `kept:${revision}`),
    diskDocument: async () => disk,
  };
  const first = await publishFirst({
    publisher,
    sources,
    lastGood,
    diskMark: { load: () => decided },
    isShared: world.isShared ?? false,
    store: () => (world.isStoreGone === true ? undefined : store),
    log,
  });
  assert.equal(activation.active?.revision, first.revision);
  return `${first.revision} of ${first.source}, ${publisher.takenFrom}${here}`;
}

const noop = async (): Promise<void> => {};
const decidedOf = (document: string, revision = document): DiskDecision => ({ document, revision });

describe('what is served first', () => {
  const cases: readonly [name: string, world: World, served: string][] = [
    ['is the document on disk, where nothing is known', { disk: 'a' }, 'a of document, start'],
    [
      'is it where that is active',
      { disk: 'a', decided: decidedOf('a'), active: ['a'] },
      'a of document, start',
    ],
    [
      'is what took its place over the API',
      { disk: 'a', decided: decidedOf('a'), active: ['a', 'b'] },
      'b of store, store',
    ],
    [
      'is what was active when that on disk was rolled back on its way',
      { disk: 'c', decided: decidedOf('c'), active: ['a'] },
      'a of store, store',
    ],
    [
      'is what somebody went back to',
      { disk: 'b', decided: decidedOf('b'), active: ['a', 'b', 'a'] },
      'a of store, store',
    ],
    [
      'is the document on disk, where it has changed since',
      { disk: 'c', decided: decidedOf('a'), active: ['a', 'b'] },
      'c of document, start',
    ],
    [
      'is it where it has changed since it was live, though the store knows no better',
      { disk: 'c', decided: decidedOf('a'), active: ['a'] },
      'c of document, start',
    ],
    [
      'is what is active for all nodes, where this one is new among them',
      { isShared: true, disk: 'a', active: ['b'] },
      'b of store, store, here alone',
    ],
    [
      'is the document on disk for all, where the store of several nodes is empty',
      { isShared: true, disk: 'a' },
      'a of document, start',
    ],
    [
      'is not what another node is about to activate',
      { isShared: true, disk: 'a', active: ['b'], goingLive: 'c' },
      'b of store, store, here alone',
    ],
    [
      'is the document on disk here alone, where this node cannot serve what is active for all',
      { isShared: true, disk: 'a', decided: decidedOf('a'), active: ['b'], bad: ['b', 'kept:b'] },
      'a of document, start, here alone',
    ],
    [
      'is the last good revision here alone, where this node can serve nothing else',
      { isShared: true, disk: undefined, active: ['b'], bad: ['b', 'kept:b'], lastGood: 'd' },
      'd of last-good, start, here alone',
    ],
    [
      'is the document on disk here alone, where a new node does not hear of the others',
      { isShared: true, disk: 'a', isStoreGone: true },
      'a of document, start, here alone',
    ],
    [
      'is the document on disk for all, where it has changed since',
      { isShared: true, disk: 'c', decided: decidedOf('a'), active: ['a', 'b'] },
      'c of document, start',
    ],
    ['is it where nobody knows what was decided of it', { disk: 'a', active: ['b'] }, 'a of document, start'],
    [
      'is it where the store knows of nothing',
      { disk: 'a', decided: decidedOf('a') },
      'a of document, start',
    ],
    [
      'is what it was decided that goes live',
      { disk: 'a', decided: decidedOf('a'), active: ['a'], goingLive: 'b' },
      'b of store, store',
    ],
    [
      'is what is active where that cannot be served any more',
      { disk: 'a', decided: decidedOf('a'), active: ['a'], goingLive: 'b', bad: ['b', 'kept:b'] },
      'a of document, start',
    ],
    [
      'has its files as they were, where it cannot be served with them as they are',
      { disk: 'a', decided: decidedOf('a'), active: ['b'], bad: ['b'] },
      'b of store, store',
    ],
    [
      'is the document on disk where the active one cannot be served at all',
      { disk: 'a', decided: decidedOf('a'), active: ['b'], bad: ['b', 'kept:b'] },
      'a of document, start',
    ],
    [
      'is the last good revision where that on disk is bad',
      { disk: 'bad', decided: decidedOf('a'), active: ['a'], lastGood: 'a', bad: ['bad'] },
      'a of last-good, start',
    ],
    [
      'is the last good revision where there is none on disk',
      { disk: undefined, decided: decidedOf('a'), active: ['a'], lastGood: 'a' },
      'a of last-good, start',
    ],
  ];
  for (const [name, world, served] of cases) it(name, async () => assert.equal(await start(world), served));

  it('is nothing, with the reason, where nothing can be served', async () => {
    await assert.rejects(start({ disk: 'bad', bad: ['bad'] }), {
      name: 'ConfigError',
      message: /bad is bad/,
    });
  });
});
