import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Store } from '../../src/store/index.ts';

/** A place where a store is kept, to be opened again and again. */
export interface StoreHome {
  open(): Promise<Store>;
  /** Runs SQL behind the store's back. */
  tamper(sql: string): Promise<void>;
  /** Says that a newer program has written it. */
  makeNewer(): Promise<void>;
  remove(): Promise<void> | void;
}

const entry = (n: number) => ({ at: n, actor: 'admin', action: 'test', subject: `s${n}`, detail: {} });

const HASH = 'a'.repeat(64);

const TAMPERINGS: readonly [string, string, { number: number; fault: string }][] = [
  [
    'edit',
    `UPDATE audit SET entry = replace(entry, 's2', 's9') WHERE number = 2`,
    { number: 2, fault: 'edited' },
  ],
  ['white space', `UPDATE audit SET entry = entry || ' ' WHERE number = 4`, { number: 4, fault: 'edited' }],
  ['hash', `UPDATE audit SET hash = '${HASH}' WHERE number = 3`, { number: 3, fault: 'edited' }],
  ['removal', 'DELETE FROM audit WHERE number = 2', { number: 2, fault: 'removed' }],
  ['removal of the first', 'DELETE FROM audit WHERE number = 1', { number: 1, fault: 'removed' }],
  [
    'removal and renumbering',
    'DELETE FROM audit WHERE number = 2; UPDATE audit SET number = number - 1 WHERE number > 2',
    { number: 2, fault: 'edited' },
  ],
  [
    'swap',
    'UPDATE audit SET number = 90 WHERE number = 2; UPDATE audit SET number = 2 WHERE number = 3; UPDATE audit SET number = 3 WHERE number = 90',
    { number: 2, fault: 'edited' },
  ],
  ['truncation', 'DELETE FROM audit WHERE number > 3', { number: 4, fault: 'truncated' }],
  ['truncation of all', 'DELETE FROM audit', { number: 1, fault: 'truncated' }],
  ['insertion', `INSERT INTO audit VALUES (6, '{}', '${HASH}')`, { number: 6, fault: 'edited' }],
  ['number below', `INSERT INTO audit VALUES (0, '{}', '${HASH}')`, { number: 1, fault: 'removed' }],
  ['head', `UPDATE audit_head SET hash = '${HASH}'`, { number: 5, fault: 'edited' }],
  ['no head', 'DELETE FROM audit_head', { number: 5, fault: 'edited' }],
];

/** What every store must do that outlives its program. */
export function keptStoreContract(name: string, makeHome: () => Promise<StoreHome>): void {
  const withHome = (title: string, run: (home: StoreHome) => Promise<void>): void => {
    test(title, async () => {
      const home = await makeHome();
      try {
        await run(home);
      } finally {
        await home.remove();
      }
    });
  };
  const withStore = async (home: StoreHome, run: (store: Store) => Promise<void>): Promise<void> => {
    const store = await home.open();
    try {
      await run(store);
    } finally {
      await store.close();
    }
  };
  const audited = async (home: StoreHome, count: number): Promise<void> =>
    withStore(home, async (store) => {
      for (let n = 1; n <= count; n++) await store.appendAudit(entry(n));
    });

  describe(`kept store: ${name}`, () => {
    for (const [title, sql, expected] of TAMPERINGS) {
      withHome(`whoever changes the audit is found out: ${title}`, async (home) => {
        await audited(home, 5);
        await home.tamper(sql);
        await withStore(home, async (store) => {
          assert.deepEqual(await store.verifyAudit(), { intact: false, ...expected });
        });
      });
    }

    withHome('a whole chain that was cut and mended is found out by a head kept elsewhere', async (home) => {
      await audited(home, 5);
      await withStore(home, async (store) => {
        const before = await store.verifyAudit();
        assert.ok(before.intact);
        const [, , third] = (await store.listAudit({ limit: 5 })).toReversed();
        await home.tamper(
          `DELETE FROM audit WHERE number > 3; UPDATE audit_head SET number = 3, hash = '${third.hash}'`,
        );
        assert.equal((await store.verifyAudit()).intact, true);
        const expected = { intact: false, number: 4, fault: 'truncated' };
        assert.deepEqual(await store.verifyAudit(before.head), expected);
      });
    });

    withHome('what was put is there after opening again', async (home) => {
      await audited(home, 3);
      await withStore(home, async (store) => {
        const verified = await store.verifyAudit();
        assert.ok(verified.intact);
        assert.equal(verified.head.number, 3);
      });
    });

    withHome('programs that start at once make one store, and append to one chain', async (home) => {
      const stores = await Promise.all([1, 2, 3].map(() => home.open()));
      try {
        await Promise.all(stores.flatMap((store) => [1, 2, 3, 4].map((n) => store.appendAudit(entry(n)))));
        const verified = await stores[0].verifyAudit();
        assert.ok(verified.intact);
        assert.equal(verified.head.number, 12);
      } finally {
        for (const store of stores) await store.close();
      }
    });

    withHome('a store of a newer program is refused and left as it is', async (home) => {
      await audited(home, 1);
      await home.makeNewer();
      await assert.rejects(home.open(), { name: 'StoreError', code: 'schema-too-new' });
      await assert.rejects(home.open(), { name: 'StoreError', code: 'schema-too-new' });
    });

    withHome('what cannot be read is a typed error', async (home) => {
      const state = (text: string): [string, (store: Store) => Promise<unknown>] => [
        `DELETE FROM list_states; INSERT INTO list_states VALUES ('a', '${text}')`,
        (store) => store.lists.state('a'),
      ];
      const cases: readonly [string, (store: Store) => Promise<unknown>][] = [
        [
          `INSERT INTO consumers VALUES ('a', NULL, 'no list', 1, 'admin', NULL)`,
          (store) => store.consumers.getConsumer('a'),
        ],
        [
          `INSERT INTO credentials VALUES (1, 'cr-1', 'a', 'magic', 'l', 's', NULL, NULL, 1, 'admin', NULL, NULL, NULL, NULL)`,
          (store) => store.consumers.activeCredentials(0, 1),
        ],
        state('no object'),
        state('{"source":"s"}'),
        state('{"source":"s","pinned":false,"held":{"version":"v","at":1}}'),
        [
          `INSERT INTO bans VALUES ('b', '192.0.2.1/32', 1, 9007199254740993, '', 'a')`,
          (store) => store.bans.active(1),
        ],
        [`INSERT INTO audit VALUES (7, 'not json', 'x')`, (store) => store.listAudit({ limit: 1 })],
        [`INSERT INTO rollouts VALUES (1, 'r', 'x', 'y', 0, 1, '[]', 1)`, (store) => store.rollouts.get('r')],
      ];
      await withStore(home, async (store) => {
        for (const [sql, read] of cases) {
          await home.tamper(sql);
          await assert.rejects(read(store), { name: 'StoreError' }, sql);
        }
      });
    });

    withHome('tables that are not ours are a typed error', async (home) => {
      await audited(home, 1);
      await home.tamper('DROP TABLE audit; CREATE TABLE audit (other TEXT)');
      const read = (): Promise<void> =>
        withStore(home, async (store) => void (await store.listAudit({ limit: 1 })));
      await assert.rejects(read, { name: 'StoreError', code: 'corrupt' });
    });
  });
}
