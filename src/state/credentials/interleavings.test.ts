/**
 * Every moment at which a reader may be overtaken, one after the other, without luck: what the owner writes is
 * recorded word by word and then played back between two loads of the reader, whole or in two parts. Whatever a
 * reader finds must be what it would have found before, after, or between the changes.
 */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { after, test } from 'node:test';
import type { LiveConsumers } from '../../contract/index.ts';
import { CredentialTable, type TableConsumer, type TableCredential } from './credential-table.ts';
import type { CredentialBuffers } from './layout.ts';
import { attachCredentials } from './live-credentials.ts';

const keyOf = (n: number): string => hash('sha256', `key ${n}`, 'base64url');

const consumer = (name: string, more: Partial<TableConsumer> = {}): TableConsumer => ({
  name,
  groups: [`of ${name}`],
  isDisabled: false,
  isOfDocument: false,
  ...more,
});

const credential = (n: number, more: Partial<TableCredential> = {}): TableCredential => ({
  id: `cr-${n.toString(16).padStart(16, '0')}`,
  consumer: 'one',
  kind: 'api-key',
  key: keyOf(n),
  expiresAtMs: undefined,
  notBeforeMs: undefined,
  verifier: undefined,
  ...more,
});

type Change = (table: CredentialTable) => void;
type Read = (live: LiveConsumers) => unknown;

interface Scenario {
  readonly name: string;
  readonly before: Change;
  /** Done by the owner while a reader reads. */
  readonly changes: readonly Change[];
  readonly read: Read;
  readonly cuts?: number;
}

const put =
  (n: number, more: Partial<TableCredential> = {}): Change =>
  (table) =>
    table.putCredential(credential(n, more));
const remove =
  (n: number): Change =>
  (table) =>
    assert.ok(table.removeCredential('api-key', keyOf(n)));
const putConsumer =
  (name: string, more: Partial<TableConsumer> = {}): Change =>
  (table) =>
    table.putConsumer(consumer(name, more));
const find =
  (n: number): Read =>
  (live) =>
    live.find('api-key', keyOf(n));
const all =
  (...changes: Change[]): Change =>
  (table) => {
    for (const change of changes) change(table);
  };
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

const comeAndGo = (from: number, to: number): Change[] => range(from, to).flatMap((n) => [put(n), remove(n)]);

/** Two consumers, the credential 1 of the first, and some more. */
const start = all(putConsumer('one'), putConsumer('two'), ...range(1, 20).map((n) => put(n)));

const SCENARIOS: readonly Scenario[] = [
  { name: 'it is put', before: all(start, remove(1)), changes: [put(1)], read: find(1) },
  { name: 'it is removed', before: start, changes: [remove(1)], read: find(1) },
  {
    name: 'its entry goes to another credential of the same consumer',
    before: start,
    changes: [remove(1), put(99)],
    read: find(1),
  },
  {
    name: 'its entry goes to another consumer’s credential',
    before: all(start, remove(1), put(1, { verifier: 'first' })),
    changes: [remove(1), put(99, { consumer: 'two', verifier: 'other' })],
    read: find(1),
  },
  {
    name: 'it is changed in place: consumer, verifier and expiry',
    before: all(start, put(1, { verifier: 'first '.repeat(9) })),
    changes: [
      put(1, { consumer: 'two', verifier: 'other '.repeat(9), expiresAtMs: 5000, notBeforeMs: 3000 }),
    ],
    read: find(1),
  },
  {
    name: 'its text’s memory goes to another',
    before: all(start, put(1, { verifier: 'first' })),
    changes: [put(1, { verifier: 'longer '.repeat(20) }), put(99, { verifier: 'third' })],
    read: find(1),
  },
  {
    name: 'its consumer is disabled and enabled again',
    before: start,
    changes: [putConsumer('one', { isDisabled: true }), putConsumer('one', { groups: ['new'] })],
    read: find(1),
  },
  {
    name: 'its consumer goes, and the consumer’s entry to another consumer',
    before: all(putConsumer('one'), put(1)),
    changes: [
      remove(1),
      (table) => void table.removeConsumer('one'),
      putConsumer('three', { groups: ['admins'] }),
    ],
    read: find(1),
  },
  {
    name: 'its consumer’s entry goes to a credential',
    before: all(putConsumer('one'), putConsumer('two'), put(1)),
    changes: [
      remove(1),
      (table) => void table.removeConsumer('one'),
      put(98, { consumer: 'two' }),
      put(99, { consumer: 'two' }),
    ],
    read: find(1),
  },
  {
    name: 'the table grows',
    before: start,
    changes: range(100, 160).map((n) => put(n, { verifier: `verifier ${n}` })),
    read: find(1),
  },
  {
    name: 'the index is swept twice, so that its words are those of the first again',
    before: all(start, put(20), put(21), ...comeAndGo(100, 110)),
    changes: comeAndGo(110, 128),
    read: find(1),
    cuts: Number.POSITIVE_INFINITY,
  },
  {
    name: 'it is put into an index that was swept again and again',
    before: all(start, remove(1)),
    changes: [...comeAndGo(100, 140), put(1)],
    read: find(1),
  },
  {
    name: 'a consumer is changed',
    before: start,
    changes: [
      putConsumer('one', { groups: ['x'.repeat(60)], id: 'x' }),
      putConsumer('two', { groups: ['y'] }),
    ],
    read: (live) => live.consumer('one'),
  },
  {
    name: 'a consumer comes',
    before: start,
    changes: [putConsumer('three')],
    read: (live) => live.consumer('three'),
  },
  {
    name: 'a consumer goes, and its entry to another',
    before: all(start, putConsumer('three')),
    changes: [(table) => void table.removeConsumer('three'), putConsumer('four')],
    read: (live) => live.consumer('three'),
  },
];

interface Write {
  readonly buffer: ArrayBufferLike;
  readonly at: number;
  readonly value: number;
}

/** Every load and write of shared words goes through these, here in one thread. */
const original = { load: Atomics.load, store: Atomics.store, add: Atomics.add };
const hooks: { onLoad: () => void; onWrite: (write: Write) => void } = { onLoad() {}, onWrite() {} };

type Operation = (words: Int32Array, at: number, value: number) => number;

function hook(name: 'load' | 'store' | 'add', operation: Operation): void {
  Object.defineProperty(Atomics, name, { value: operation, configurable: true, writable: true });
}

hook('load', (words, at) => {
  hooks.onLoad();
  return original.load(words, at);
});
hook('store', (words, at, value) => {
  hooks.onWrite({ buffer: words.buffer, at, value });
  return original.store(words, at, value);
});
hook('add', (words, at, value) => {
  hooks.onWrite({ buffer: words.buffer, at, value: words[at] + value });
  return original.add(words, at, value);
});
after(() => {
  for (const [name, operation] of Object.entries(original)) {
    Object.defineProperty(Atomics, name, { value: operation, configurable: true, writable: true });
  }
});

/** What a change writes, in order. */
function recorded(change: () => void): Write[] {
  const writes: Write[] = [];
  hooks.onWrite = (write) => void writes.push(write);
  change();
  hooks.onWrite = () => {};
  return writes;
}

const bytesOf = (buffers: CredentialBuffers) =>
  Object.values(buffers).map((buffer: SharedArrayBuffer) => ({
    buffer,
    bytes: new Uint8Array(buffer).slice(),
  }));

function restore(saved: ReturnType<typeof bytesOf>): void {
  for (const { buffer, bytes } of saved) {
    const now = new Uint8Array(buffer);
    now.fill(0);
    now.set(bytes);
  }
}

function play(writes: readonly Write[]): void {
  for (const { buffer, at, value } of writes) new Int32Array(buffer)[at] = value;
}

/** Reads, and before its load number `k` plays the first `m` writes, and the others so many loads later. */
function overtaken(
  read: () => unknown,
  writes: readonly Write[],
  k: number,
  m: number,
  later: number,
): unknown {
  let loads = 0;
  hooks.onLoad = () => {
    if (loads === k) play(writes.slice(0, m));
    if (loads === k + later) play(writes.slice(m));
    loads++;
  };
  try {
    return read();
  } finally {
    hooks.onLoad = () => {};
    if (loads <= k) play(writes.slice(0, m));
    if (loads <= k + later) play(writes.slice(m));
  }
}

function countLoads(read: () => unknown): number {
  let loads = 0;
  hooks.onLoad = () => void loads++;
  read();
  hooks.onLoad = () => {};
  return loads;
}

/** At most so many ways of cutting the writes in two, where nothing else is said. */
const MAX_CUTS = 80;
/** The second part comes between two loads of one read, or when the read would have been over. */
const LATER = [1, 60];

for (const { name, before, changes, read, cuts = MAX_CUTS } of SCENARIOS) {
  for (const isWarm of [false, true]) {
    test(`a reader that is overtaken while ${name}${isWarm ? ', and that has found it before' : ''}`, () => {
      const table = new CredentialTable();
      before(table);
      const fresh = () => {
        const live = attachCredentials(table.buffers);
        if (isWarm) read(live);
        return live;
      };
      const saved = bytesOf(table.buffers);
      const allowed = new Set([JSON.stringify(read(fresh()))]);
      const loads = countLoads(() => read(fresh())) + 5;
      const writes = changes.flatMap((change) => {
        const made = recorded(() => change(table));
        allowed.add(JSON.stringify(read(attachCredentials(table.buffers))));
        return made;
      });
      const last = JSON.stringify(read(attachCredentials(table.buffers)));
      const step = Math.max(1, Math.floor(writes.length / cuts));
      let tried = 0;
      for (let k = 0; k < loads; k++) {
        for (let m = 0; m <= writes.length; m += step) {
          for (const later of LATER) {
            restore(saved);
            const live = fresh();
            const found = JSON.stringify(overtaken(() => read(live), writes, k, m, later));
            assert.ok(allowed.has(found), `load ${k}, ${m} of ${writes.length} writes, ${later}: ${found}`);
            // All is written by now: what is found from here on is the last state, remembered or not.
            assert.equal(JSON.stringify(read(live)), last, `afterwards: load ${k}, ${m} writes, ${later}`);
            tried++;
          }
        }
      }
      assert.ok(tried > 100, `only ${tried} ways were tried`);
    });
  }
}
