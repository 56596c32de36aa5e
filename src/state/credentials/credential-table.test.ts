import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, it } from 'node:test';
import type { LiveConsumers } from '../../contract/index.ts';
import { CredentialTable, type TableConsumer, type TableCredential } from './credential-table.ts';
import { ENTRY_WORDS } from './layout.ts';
import { attachCredentials } from './live-credentials.ts';

const keyOf = (n: number | string): string => hash('sha256', `key ${n}`, 'base64url');
const idOf = (n: number): string => `cr-${n.toString(16).padStart(16, '0')}`;

const consumer = (name: string, more: Partial<TableConsumer> = {}): TableConsumer => ({
  name,
  groups: ['partners'],
  isDisabled: false,
  isOfDocument: false,
  ...more,
});

const credential = (n: number, more: Partial<TableCredential> = {}): TableCredential => ({
  id: idOf(n),
  consumer: 'app',
  kind: 'api-key',
  key: keyOf(n),
  expiresAtMs: undefined,
  notBeforeMs: undefined,
  verifier: undefined,
  ...more,
});

function tableWith(...consumers: TableConsumer[]): { table: CredentialTable; live: LiveConsumers } {
  const table = new CredentialTable();
  for (const one of consumers) table.putConsumer(one);
  return { table, live: attachCredentials(table.buffers) };
}

describe('a table of live credentials', () => {
  it('lets go of the credentials of one consumer that are not named, and of nobody else’s', () => {
    const { table, live } = tableWith(consumer('app'), consumer('other'));
    for (const n of [1, 2, 3]) table.putCredential(credential(n));
    table.putCredential(credential(4, { consumer: 'other' }));
    table.keepCredentialsOf('app', new Set([idOf(2), idOf(9)]));
    table.keepCredentialsOf('nobody', new Set());
    const found = [1, 2, 3, 4].map((n) => live.find('api-key', keyOf(n))?.identity.consumer);
    assert.deepEqual(found, [undefined, 'app', undefined, 'other']);
    assert.equal(table.stats.credentials, 2);
    table.keepCredentialsOf('app', new Set());
    assert.equal(table.removeConsumer('app'), true);
  });

  it('is swept of all that was not put since a sweep has begun', () => {
    const { table, live } = tableWith(
      consumer('app'),
      consumer('gone'),
      consumer('document', { isOfDocument: true }),
    );
    table.putCredential(credential(1));
    table.putCredential(credential(2));
    table.putCredential(credential(3, { consumer: 'gone' }));
    table.putCredential(credential(4, { consumer: 'document' }));
    const end = table.beginSweep();
    table.putConsumer(consumer('app'));
    table.putCredential(credential(2));
    table.putCredential(credential(4, { consumer: 'document' }));
    // What comes while it goes on stays, and takes a place that was free.
    table.removeCredential('api-key', keyOf(1));
    table.putConsumer(consumer('new'));
    table.putCredential(credential(5, { consumer: 'new' }));
    assert.equal(end(), 2);
    const found = [1, 2, 3, 4, 5].map((n) => live.find('api-key', keyOf(n))?.identity.consumer);
    assert.deepEqual(found, [undefined, 'app', undefined, 'document', 'new']);
    assert.equal(live.consumer('gone'), undefined);
    assert.deepEqual([table.stats.consumers, table.stats.credentials], [3, 3]);
    assert.equal(table.beginSweep()(), 6);
    assert.deepEqual([table.stats.consumers, table.stats.credentials], [0, 0]);
  });

  it('finds nothing while it is empty, whatever is asked for', () => {
    const { live } = tableWith();
    for (const key of ['', 'x', keyOf(1), 'A'.repeat(43), 'é'.repeat(43), '='.repeat(43)]) {
      for (const kind of ['api-key', 'basic-auth', 'hmac-signature', 'mtls'] as const) {
        assert.equal(live.find(kind, key), undefined);
      }
      assert.equal(live.consumer(key), undefined);
    }
  });

  it('finds a credential by its own kind and key only', () => {
    const { table, live } = tableWith(consumer('app'));
    table.putCredential(credential(1));
    const key = keyOf(1);
    for (const kind of ['basic-auth', 'hmac-signature', 'mtls'] as const) {
      assert.equal(live.find(kind, key), undefined, kind);
    }
    const near = [
      key.slice(0, 42),
      `${key}A`,
      `${key.slice(0, 42)}-`,
      key.toLowerCase(),
      ` ${key.slice(1)}`,
      '',
    ];
    for (const other of [...near, keyOf(2), key.replace(/.$/, '/')]) {
      assert.equal(live.find('api-key', other), undefined, other);
    }
    assert.deepEqual(live.find('api-key', key), {
      identity: {
        consumer: 'app',
        groups: ['partners'],
        scopes: [],
        claims: {},
        credential: { id: idOf(1), kind: 'api-key' },
      },
      expiresAtMs: undefined,
      isOfDocument: false,
    });
  });

  it('gives every part of a credential and its consumer back', () => {
    const { table, live } = tableWith(
      consumer('app', { id: 'x-1', groups: [] }),
      consumer('Äöü-€', { groups: ['a', 'b'.repeat(100)] }),
      consumer('of-the-document', { isOfDocument: true, groups: [] }),
    );
    table.putCredential(
      credential(0xffff_ffff, {
        kind: 'hmac-signature',
        key: 'a key id',
        expiresAtMs: Date.UTC(2100, 0),
        notBeforeMs: 1_700_000_000_999,
        verifier: `-----${'é'.repeat(2000)}`,
      }),
    );
    table.putCredential(credential(2, { consumer: 'Äöü-€' }));
    table.putCredential(credential(3, { consumer: 'of-the-document' }));
    const found = live.find('hmac-signature', 'a key id');
    assert.deepEqual(found?.identity.consumerId, 'x-1');
    assert.deepEqual(found.identity.credential, { id: 'cr-00000000ffffffff', kind: 'hmac-signature' });
    assert.deepEqual(
      [found.expiresAtMs, found.notBeforeMs, found.verifier],
      [Date.UTC(2100, 0), 1_700_000_000_000, `-----${'é'.repeat(2000)}`],
    );
    assert.deepEqual(live.find('api-key', keyOf(2))?.identity.groups, ['a', 'b'.repeat(100)]);
    assert.equal(live.find('api-key', keyOf(2))?.identity.consumer, 'Äöü-€');
    assert.equal(live.find('api-key', keyOf(3))?.isOfDocument, true);
    assert.deepEqual(live.consumer('app'), { name: 'app', id: 'x-1', groups: [] });
    assert.equal(live.consumer('of-the-document'), undefined);
  });

  it('remembers identities, so that the same credential is the same object', () => {
    const { table, live } = tableWith(consumer('app'));
    table.putCredential(credential(1));
    table.putCredential(credential(2));
    assert.equal(live.find('api-key', keyOf(1)), live.find('api-key', keyOf(1)));
    assert.equal(
      live.find('api-key', keyOf(1))?.identity.groups,
      live.find('api-key', keyOf(2))?.identity.groups,
    );
  });

  it('finds what is removed no more, not even when it was remembered', () => {
    const { table, live } = tableWith(consumer('app'));
    table.putCredential(credential(1));
    assert.ok(live.find('api-key', keyOf(1)));
    assert.equal(table.removeCredential('api-key', keyOf(1)), true);
    assert.equal(live.find('api-key', keyOf(1)), undefined);
    assert.equal(table.removeCredential('api-key', keyOf(1)), false);
    // Its entry serves another now.
    table.putCredential(credential(2));
    assert.equal(live.find('api-key', keyOf(1)), undefined);
    assert.equal(live.find('api-key', keyOf(2))?.identity.credential?.id, idOf(2));
    table.putCredential(credential(3, { key: keyOf(1) }));
    assert.equal(live.find('api-key', keyOf(1))?.identity.credential?.id, idOf(3));
  });

  it('finds none of a disabled consumer, and all again once it is enabled', () => {
    const { table, live } = tableWith(consumer('app'), consumer('other'));
    for (const n of [1, 2]) table.putCredential(credential(n));
    table.putCredential(credential(3, { consumer: 'other' }));
    assert.ok(live.find('api-key', keyOf(1)));
    table.putConsumer(consumer('app', { isDisabled: true }));
    for (const n of [1, 2]) assert.equal(live.find('api-key', keyOf(n)), undefined);
    assert.equal(live.consumer('app'), 'disabled');
    assert.ok(live.find('api-key', keyOf(3)));
    table.putConsumer(consumer('app', { groups: ['new'] }));
    for (const n of [1, 2]) assert.deepEqual(live.find('api-key', keyOf(n))?.identity.groups, ['new']);
  });

  it('changes a credential in place, whoever has it', () => {
    const { table, live } = tableWith(consumer('app'), consumer('other'));
    table.putCredential(credential(1, { verifier: 'one' }));
    table.putCredential(
      credential(2, { key: keyOf(1), consumer: 'other', verifier: 'two', expiresAtMs: 5000 }),
    );
    const match = live.find('api-key', keyOf(1));
    assert.deepEqual(
      [match?.identity.consumer, match?.verifier, match?.expiresAtMs, match?.identity.credential?.id],
      ['other', 'two', 5000, idOf(2)],
    );
    assert.deepEqual([table.stats.consumers, table.stats.credentials], [2, 1]);
    assert.equal(table.removeConsumer('app'), true);
  });

  it('keeps a consumer that still has credentials: they would be another’s', () => {
    const { table, live } = tableWith(consumer('app'));
    table.putCredential(credential(1));
    assert.throws(() => table.removeConsumer('app'), { name: 'InternalError' });
    table.removeCredential('api-key', keyOf(1));
    assert.equal(table.removeConsumer('app'), true);
    assert.equal(table.removeConsumer('app'), false);
    assert.equal(live.consumer('app'), undefined);
    assert.throws(() => table.putCredential(credential(1)), { name: 'InternalError' });
    assert.deepEqual([table.stats.consumers, table.stats.credentials], [0, 0]);
  });

  it('refuses what it cannot hold, and is as it was before', () => {
    const { table, live } = tableWith(consumer('app'));
    const cases: [string, Partial<TableCredential>][] = [
      ['no digest', { key: 'short' }],
      ['no base64url', { key: '+'.repeat(43) }],
      ['bits beyond 256', { key: 'B'.repeat(43) }],
      ['a foreign id', { id: 'app-1' }],
      ['too long', { verifier: 'x'.repeat(20_000) }],
    ];
    for (const [name, more] of cases) {
      assert.throws(() => table.putCredential(credential(1, more)), { name: 'InternalError' }, name);
    }
    for (const more of [{ name: 'a\nb' }, { groups: ['a\nadmins'] }, { id: '\n' }]) {
      assert.throws(() => table.putConsumer(consumer('evil', more)), { name: 'InternalError' });
    }
    assert.deepEqual([table.stats.consumers, table.stats.credentials], [1, 0]);
    table.putCredential(credential(1));
    assert.ok(live.find('api-key', keyOf(1)));
  });

  it('holds many through growth, and what remains through removal', () => {
    const { table, live } = tableWith(consumer('app'));
    const COUNT = 5000;
    for (let n = 0; n < COUNT; n++) {
      table.putCredential(credential(n, n % 3 === 0 ? { verifier: `verifier ${n}`.repeat(n % 50) } : {}));
    }
    for (let n = 0; n < COUNT; n += 2) assert.ok(table.removeCredential('api-key', keyOf(n)));
    for (let n = 0; n < COUNT; n++) {
      const found = live.find('api-key', keyOf(n));
      assert.equal(found?.identity.credential?.id, n % 2 === 0 ? undefined : idOf(n));
      const verifier = `verifier ${n}`.repeat(n % 50);
      if (n % 6 === 3) assert.equal(found?.verifier, verifier);
    }
    assert.equal(table.stats.credentials, COUNT / 2);
  });

  it('takes no more memory however often credentials come and go', () => {
    const { table, live } = tableWith(consumer('app'));
    const churn = (from: number): void => {
      for (let n = from; n < from + 2000; n++) {
        table.putCredential(credential(n, { verifier: `v ${n}` }));
        if (n >= 100) assert.ok(table.removeCredential('api-key', keyOf(n - 100)));
      }
    };
    churn(0);
    const { bytes } = table.stats;
    churn(2000);
    churn(4000);
    assert.equal(table.stats.bytes, bytes);
    for (let n = 5900; n < 6000; n++) assert.equal(live.find('api-key', keyOf(n))?.verifier, `v ${n}`);
  });

  it('has room at once for what is announced', () => {
    const { table } = tableWith(consumer('app'));
    table.reserve(10_000);
    const { bytes } = table.stats;
    for (let n = 0; n < 10_000; n++) table.putCredential(credential(n));
    assert.equal(table.stats.bytes, bytes);
  });

  it('decides nothing by an entry that stays half written', () => {
    const { table, live } = tableWith(consumer('app'));
    table.putCredential(credential(1));
    const version = ENTRY_WORDS;
    Atomics.add(new Int32Array(table.buffers.entries), version, 1);
    assert.throws(() => live.find('api-key', keyOf(1)), { name: 'InternalError' });
    Atomics.add(new Int32Array(table.buffers.entries), version, 1);
    assert.ok(live.find('api-key', keyOf(1)));
  });

  it('is small while it is empty', () => {
    assert.ok(new CredentialTable().stats.bytes <= 16_384);
  });
});
