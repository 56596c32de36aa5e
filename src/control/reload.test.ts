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
