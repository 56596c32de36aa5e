import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { DiskMark, LastGood, openSqliteStore, type Store, StoreError } from '../store/index.ts';
import type { PublishOrigin, PublishResult } from './publisher.ts';
import { RevisionRecord } from './revision-record.ts';

const bundle = {
  revision: 'a'.repeat(64),
  text: 'sallyport: 1',
  files: { 'list.txt': '192.0.2.0/24' },
  documentHash: 'd'.repeat(64),
};
const request = { origin: 'api', actor: 'alice', reason: 'because', load: async () => bundle } as const;
const activated: PublishResult = { outcome: 'activated', revision: bundle.revision };
const refused: PublishResult = {
  outcome: 'refused',
  revision: undefined,
  issues: [{ path: 'routes[0]', message: 'is wrong' }],
};

describe('revision record', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-record-'));
  after(() => rmSync(folder, { recursive: true }));
  let n = 0;
  const make = (store: Store | undefined) => {
    const lastGood = new LastGood(path.join(folder, `${n++}.json`));
    const diskMark = new DiskMark(path.join(folder, `${n}-disk.json`));
    const clock = { now: () => 1000, monotonic: () => 0 };
    const record = new RevisionRecord({ clock, lastGood, diskMark, store: async () => store });
    return { lastGood, diskMark, record };
  };

  it('keeps what was activated for the next start, in the store and in the audit', async () => {
    const store = openSqliteStore(':memory:');
    const { lastGood, record } = make(store);
    await record.keep(request, bundle, activated);
    assert.deepEqual(lastGood.load(), {
      revision: bundle.revision,
      document: bundle.text,
      files: bundle.files,
      savedAt: 1000,
    });
    assert.equal((await store.active())?.id, bundle.revision);
    const [entry] = await store.listAudit({ limit: 10 });
    assert.equal(
      `${entry.actor} ${entry.action} ${entry.subject}`,
      `alice revision.activate ${bundle.revision}`,
    );
    assert.deepEqual(entry.detail, { origin: 'api', reason: 'because' });
  });

  it('keeps a refusal in the audit, and nothing for the next start', async () => {
    const store = openSqliteStore(':memory:');
    const { lastGood, record } = make(store);
    await record.keep(request, undefined, refused);
    assert.equal(lastGood.load(), undefined);
    const [entry] = await store.listAudit({ limit: 10 });
    assert.equal(entry.action, 'revision.refuse');
    assert.equal(entry.detail.cause, 'routes[0]: is wrong');
  });

  it('keeps the last good revision without a store', async () => {
    const { lastGood, record } = make(undefined);
    await record.keep(request, bundle, activated);
    assert.equal(lastGood.load()?.revision, bundle.revision);
  });

  it('says nothing of what changed nothing', async () => {
    const store = openSqliteStore(':memory:');
    const { lastGood, record } = make(store);
    await record.keep(request, bundle, { outcome: 'unchanged', revision: bundle.revision });
    assert.equal(lastGood.load(), undefined);
    assert.deepEqual(await store.listAudit({ limit: 10 }), []);
  });

  const MARK = { document: bundle.documentHash, revision: bundle.revision };
  const onItsWay: PublishResult = { outcome: 'rollout', revision: bundle.revision, rollout: 'r1' };
  const unchanged: PublishResult = { outcome: 'unchanged', revision: bundle.revision };
  const marks: readonly [name: string, from: PublishOrigin, PublishResult, unknown][] = [
    ['of one that was refused nothing is decided', 'file', refused, undefined],
    ['of one of the API neither', 'api', activated, undefined],
    ['of one that was gone back to neither', 'rollback', activated, undefined],
    ['of one in service', 'file', activated, MARK],
    ['of one at the start', 'start', unchanged, MARK],
    ['of one on its way', 'signal', onItsWay, MARK],
  ];
  for (const [name, origin, result, mark] of marks) {
    it(`remembers the document on disk: ${name}`, async () => {
      const { diskMark, record } = make(openSqliteStore(':memory:'));
      await record.keep({ ...request, origin }, result === refused ? undefined : bundle, result);
      assert.deepEqual(diskMark.load(), mark);
    });
  }

  it('tells a start from a change, and a change from going back', async () => {
    const store = openSqliteStore(':memory:');
    const { record } = make(store);
    const other = { ...bundle, revision: 'b'.repeat(64) };
    await record.keep(request, bundle, activated);
    await record.keep({ ...request, origin: 'start' }, bundle, activated);
    await record.keep(request, other, { outcome: 'activated', revision: other.revision });
    await record.keep({ ...request, origin: 'rollback' }, bundle, activated);
    const activations = await store.listActivations({ limit: 10 });
    assert.deepEqual(
      activations.map(({ id, how }) => `${id[0]} ${how}`),
      ['a rollback', 'b publish', 'a publish'],
    );
  });

  it('brings to a store that was lost what became active meanwhile, once and the latest', async () => {
    const store = openSqliteStore(':memory:');
    const append = store.appendAudit.bind(store);
    store.appendAudit = () => Promise.reject(new StoreError('unavailable', 'lost'));
    const { record } = make(store);
    const other = { ...bundle, revision: 'b'.repeat(64) };
    await assert.rejects(record.keep(request, bundle, activated), StoreError);
    await assert.rejects(record.keep(request, other, { ...activated, revision: other.revision }), StoreError);
    assert.equal(record.isBehind, true);
    await assert.rejects(record.catchUp(), StoreError);
    store.appendAudit = append;
    await record.catchUp();
    await record.catchUp();
    assert.equal(record.isBehind, false);
    assert.equal((await store.active())?.id, other.revision);
    const entries = await store.listAudit({ limit: 10 });
    assert.deepEqual(
      entries.map(({ action, subject }) => [action, subject]),
      [['revision.activate', other.revision]],
    );
  });

  it('leaves alone what another node has activated since', async () => {
    const store = openSqliteStore(':memory:');
    const put = store.putRevision.bind(store);
    store.putRevision = () => Promise.reject(new StoreError('unavailable', 'lost'));
    const { record } = make(store);
    await assert.rejects(record.keep(request, bundle, activated), StoreError);
    store.putRevision = put;
    const later = { id: 'c'.repeat(64), document: '', files: {}, createdAt: 2000, author: 'b', reason: '' };
    await store.putRevision(later);
    await store.setActive(later.id, 2000);
    await record.catchUp();
    assert.equal((await store.active())?.id, later.id);
  });
});
