import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { backUpStore, restoreStore, type Store, type StorePlace } from '../../src/store/index.ts';

/** A store that is copied and put back. */
export interface ArchiveHome {
  readonly place: StorePlace;
  open(): Promise<Store>;
  tamper(sql: string): Promise<void>;
}

const AT = 1_700_000_000_000;
const idOf = (n: number): string => n.toString(16).padStart(64, '0');

/** Something of everything. */
async function fill(store: Store): Promise<void> {
  for (const n of [1, 2]) {
    const texts = { document: `# é "${n}"\n`, files: { a: 'b' }, author: 'admin', reason: '' };
    await store.putRevision({ id: idOf(n), createdAt: AT + n, ...texts });
    await store.setActive(idOf(n), AT + n, n === 2 ? 'rollback' : 'publish');
    await store.appendAudit({ at: AT, actor: 'admin', action: 'a', subject: `s${n}`, detail: { n } });
  }
  const made = { createdAt: AT, createdBy: 'admin' };
  const { consumers, bans, lists, quotas, rollouts } = store;
  await consumers.putConsumer({ name: 'app', externalId: 'x', groups: ['g'], disabledAt: AT, ...made });
  const times = { notBefore: AT, expiresAt: undefined, revokedAt: undefined, successor: undefined };
  const kept = { shown: 's', verifier: undefined, sealed: 'sealed-secret', ...made, ...times };
  await consumers.putCredential({
    id: 'cr-1',
    consumer: 'app',
    kind: 'hmac-signature',
    lookup: 'l',
    ...kept,
  });
  await consumers.putCredential({ id: 'cr-2', consumer: 'app', kind: 'api-key', lookup: 'l', ...kept });
  await consumers.revokeCredential('cr-2', AT + 1);
  await consumers.noteUse([{ id: 'cr-1', at: AT }]);
  const token = { kind: 'token', issuer: 'i', subject: 't' } as const;
  await consumers.putRevocation({ ...token, at: AT, by: 'admin', reason: '', until: undefined });
  await bans.put({ id: 'b', network: '192.0.2.0/24', sinceMs: AT, untilMs: AT + 9, reason: '"\\', by: 'a' });
  const imposed = {
    sinceMs: AT,
    untilMs: AT + 9,
    forgetMs: AT + 9,
    reason: '',
    by: 'a',
    strike: 1,
    round: 1,
  };
  await bans.putImposed([{ id: 'i', caller: 'consumer a', shadow: true, ...imposed }], []);
  const version = { list: 'drop', id: idOf(3), entries: 1, source: 's', createdAt: AT };
  await lists.putVersion(version, Uint8Array.of(0, 255, 10, 13));
  const none = { held: undefined, rejected: undefined, etag: undefined, lastModified: undefined };
  const named = { list: 'drop', current: idOf(3), fetched: idOf(3), source: 's' };
  await lists.putState({ ...named, pinned: false, refreshedAt: AT, ...none });
  const usage = { scope: 's', key: 'k', id: 'f'.repeat(24), attachment: 'a', name: 'n', by: 'consumer' };
  const counts = {
    limit: 9,
    startMs: AT,
    endMs: AT + 9,
    used: 4,
    carried: 0,
    carryOver: 0,
    keptUntilMs: AT + 9,
  };
  await quotas.put([{ ...usage, shadow: false, unproven: true, ...counts }]);
  const on = { revision: idOf(2), base: idOf(1), isOpen: true, startedAt: AT, state: { step: 1 } };
  await rollouts.begin({ id: 'r', ...on });
}

/** Everything there is, as whoever uses the store sees it. */
async function seen(store: Store): Promise<unknown> {
  return {
    revisions: await Promise.all([1, 2].map((n) => store.getRevision(idOf(n)))),
    activations: await store.listActivations({ limit: 9 }),
    consumers: await store.consumers.listConsumers({ limit: 9, after: '' }),
    credentials: await store.consumers.listCredentials({ limit: 9, before: undefined, consumer: undefined }),
    revocations: await store.consumers.revocations(AT),
    bans: [await store.bans.active(AT), await store.bans.imposed(AT)],
    lists: [
      await store.lists.versions('drop'),
      await store.lists.content('drop', idOf(3)),
      await store.lists.state('drop'),
    ],
    quotas: await store.quotas.kept(AT),
    rollouts: await store.rollouts.list({ limit: 9 }),
  };
}

const restoring = { replace: false, nowMs: AT + 100, actor: 'cli' };

/** What copies must do from one kind of store to another. */
export function storeArchiveContract(
  name: string,
  makeSource: () => Promise<ArchiveHome>,
  makeTarget: () => Promise<ArchiveHome>,
): void {
  const root = mkdtempSync(join(tmpdir(), 'store-backup-'));
  after(() => rmSync(root, { recursive: true }));
  let files = 0;
  const newFile = (): string => join(root, `${files++}.backup`);

  const within = async <T>(home: ArchiveHome, work: (store: Store) => Promise<T>): Promise<T> => {
    const store = await home.open();
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  };
  const backedUp = async (): Promise<{ source: ArchiveHome; file: string }> => {
    const source = await makeSource();
    await within(source, fill);
    const file = newFile();
    await backUpStore(source.place, file, AT + 50);
    return { source, file };
  };

  describe(`backup: ${name}`, () => {
    test('a copy holds all there is, for its owner alone', async () => {
      const { source, file } = await backedUp();
      assert.equal(statSync(file).mode & 0o777, 0o600);
      const target = await makeTarget();
      const { rows, createdAt } = await restoreStore(target.place, file, restoring);
      assert.ok(rows > 15);
      assert.equal(createdAt, AT + 50);
      assert.deepEqual(await within(target, seen), await within(source, seen));
      assert.ok(readFileSync(file, 'utf8').includes('sealed-secret'), 'as the store has it');
      assert.deepEqual(
        readdirSync(root).filter((one) => one.includes('tmp')),
        [],
      );
    });

    test('the audit goes on from where it was, and says what was restored', async () => {
      const { source, file } = await backedUp();
      const before = await within(source, (store) => store.verifyAudit());
      assert.ok(before.intact);
      const target = await makeTarget();
      await restoreStore(target.place, file, restoring);
      await within(target, async (store) => {
        assert.equal((await store.verifyAudit(before.head)).intact, true);
        const [entry] = await store.listAudit({ limit: 1 });
        assert.deepEqual(
          [entry.number, entry.action, entry.actor, entry.at],
          [3, 'store.restore', 'cli', AT + 100],
        );
        await store.appendAudit({ at: AT, actor: 'a', action: 'b', subject: '', detail: {} });
        assert.equal((await store.verifyAudit()).intact, true);
      });
    });

    test('what is put afterwards has numbers of its own', async () => {
      const { file } = await backedUp();
      const target = await makeTarget();
      await restoreStore(target.place, file, restoring);
      await within(target, async (store) => {
        const texts = { document: '', files: {}, createdAt: AT, author: 'a', reason: '' };
        await store.putRevision({ id: idOf(9), ...texts });
        assert.deepEqual(
          (await store.listRevisions({ limit: 9 })).map(({ number }) => number),
          [3, 2, 1],
        );
        await store.setActive(idOf(9), AT + 9);
        assert.equal((await store.active())?.id, idOf(9));
      });
    });

    test('a copy of an empty store can be restored', async () => {
      const [source, target] = [await makeSource(), await makeTarget()];
      await within(source, async () => {});
      const file = newFile();
      await backUpStore(source.place, file, AT);
      await restoreStore(target.place, file, restoring);
      await within(target, async (store) => {
        const verified = await store.verifyAudit();
        assert.ok(verified.intact);
        assert.equal(verified.head.number, 1);
      });
    });

    test('a store that holds anything is replaced only where that is asked for', async () => {
      const { source, file } = await backedUp();
      const target = await makeTarget();
      const made = {
        createdAt: AT,
        createdBy: 'a',
        externalId: undefined,
        groups: [],
        disabledAt: undefined,
      };
      await within(target, (store) => store.consumers.putConsumer({ name: 'other', ...made }));
      await assert.rejects(restoreStore(target.place, file, restoring), { code: 'conflict' });
      assert.ok(await within(target, (store) => store.consumers.getConsumer('other')));
      await restoreStore(target.place, file, { ...restoring, replace: true });
      assert.deepEqual(await within(target, seen), await within(source, seen));
    });

    test('a file of that name is left alone', async () => {
      const source = await makeSource();
      await within(source, fill);
      const file = newFile();
      writeFileSync(file, 'mine');
      await assert.rejects(backUpStore(source.place, file, AT), { code: 'conflict' });
      assert.equal(readFileSync(file, 'utf8'), 'mine');
    });

    test('a store whose audit was tampered with is not copied', async () => {
      const source = await makeSource();
      await within(source, fill);
      await source.tamper(`UPDATE audit SET entry = replace(entry, 's1', 's9')`);
      const file = newFile();
      await assert.rejects(backUpStore(source.place, file, AT), { code: 'corrupt' });
      assert.ok(!readdirSync(root).some((one) => join(root, one).startsWith(file)));
    });

    test('a file that is not what was written changes nothing, whatever was done to it', async () => {
      const { file } = await backedUp();
      const whole = readFileSync(file, 'utf8');
      const lines = whole.trimEnd().split('\n');
      const places = [1, 3, Math.floor(lines.length / 2), lines.length - 2];
      const cases: readonly (readonly [string, string])[] = [
        ['empty', ''],
        ['no backup', '{"a":1}\n'],
        ['no JSON', 'backup\n'],
        ['cut in a line', whole.slice(0, whole.length / 2)],
        ['without its end', `${lines.slice(0, -1).join('\n')}\n`],
        ['without its last line end', whole.trimEnd()],
        ['with more behind its end', `${whole}[1]\n`],
        ['two of it', whole + whole],
        ['another secret', whole.replace('sealed-secret', 'sealed-sacred')],
        ['another number', whole.replace(`${AT + 1}`, `${AT + 2}`)],
        ['a table of nobody', whole.replace('"table":"bans"', '"table":"bens"')],
        ['a column of nobody', whole.replace('"network"', '"notwork"')],
        ['text for a number', whole.replace(`[1,"${idOf(1)}"`, `["1","${idOf(1)}"`)],
        ...places.map((at): [string, string] => [
          `line ${at} left out`,
          [...lines.slice(0, at), ...lines.slice(at + 1), ''].join('\n'),
        ]),
        ...places.map((at): [string, string] => [
          `line ${at} twice`,
          [...lines.slice(0, at), lines[at], ...lines.slice(at), ''].join('\n'),
        ]),
      ];
      const target = await makeTarget();
      for (const [title, text] of cases) {
        assert.notEqual(text, whole, title);
        const bad = newFile();
        writeFileSync(bad, text);
        const attempt = restoreStore(target.place, bad, { ...restoring, replace: true });
        await assert.rejects(attempt, { name: 'StoreError' }, title);
      }
      await within(target, async (store) => {
        assert.deepEqual(await store.listAudit({ limit: 1 }), []);
        assert.deepEqual(await store.listRevisions({ limit: 1 }), []);
      });
    });

    test('a file whose checksum was mended, and whose audit was not, changes nothing', async () => {
      const { createHash } = await import('node:crypto');
      const { file } = await backedUp();
      const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(0, -1);
      const forged = lines.map((line) => line.replace('\\"subject\\":\\"s2\\"', '\\"subject\\":\\"s3\\"'));
      assert.notDeepEqual(forged, lines);
      const text = `${forged.join('\n')}\n`;
      const rows = forged.filter((line) => line.startsWith('[')).length;
      const end = { rows, sha256: createHash('sha256').update(text).digest('hex') };
      const bad = newFile();
      writeFileSync(bad, `${text}${JSON.stringify({ end })}\n`);
      const target = await makeTarget();
      await assert.rejects(restoreStore(target.place, bad, restoring), { code: 'corrupt', message: /audit/ });
    });

    test('a copy is of one moment, while others write', async () => {
      const source = await makeSource();
      await within(source, fill);
      await within(source, async (store) => {
        let isOver = false;
        const writing = (async () => {
          while (!isOver) {
            await store.appendAudit({ at: AT, actor: 'a', action: 'b', subject: '', detail: {} });
            await new Promise((resolve) => setImmediate(resolve));
          }
        })();
        for (let n = 0; n < 3; n++) {
          const file = newFile();
          await backUpStore(source.place, file, AT);
          const target = await makeTarget();
          await restoreStore(target.place, file, restoring);
        }
        isOver = true;
        await writing;
      });
    });
  });
}
