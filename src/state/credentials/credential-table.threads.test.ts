/** Real threads on one table. This file is its own worker: the main thread owns the table, the others hammer it. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { LiveConsumers, LiveMatch } from '../../contract/index.ts';
import { CredentialTable } from './credential-table.ts';
import type { CredentialBuffers } from './layout.ts';
import { attachCredentials } from './live-credentials.ts';

const THREADS = 3;
const KEYS = 64;
const CONSUMERS = 8;
const ROUNDS = 30_000;
/** Each thread looks up at least so often while the owner writes. */
const MIN_LOOKUPS = 100_000;

/** Phases of a key or consumer: while one is in flux, either answer is right. */
const GONE = 0;
const FLUX = 1;
const THERE = 2;
const PHASES = 4;

interface Job {
  readonly buffers: CredentialBuffers;
  /** Per key: how often it was issued, times PHASES, plus its phase. */
  readonly keys: Int32Array;
  /** Per consumer: how often it changed, times PHASES, plus its phase (GONE: disabled). */
  readonly consumers: Int32Array;
  /** Look-ups per thread, and at the end a word that says stop. */
  readonly counts: Int32Array;
  readonly thread: number;
}

const keyOf = (i: number): string => hash('sha256', `key ${i}`, 'base64url');
const idOf = (i: number, issue: number): string =>
  `cr-${issue.toString(16).padStart(8, '0')}${i.toString(16).padStart(8, '0')}`;
const ownerOf = (i: number, issue: number): number => (i + issue) % CONSUMERS;
const verifierOf = (i: number, issue: number): string | undefined =>
  issue % 2 === 0 ? undefined : `${i}-${issue} `.repeat((issue % 40) + 1);

if (isMainThread) tests();
else parentPort?.postMessage(hammer(workerData));

interface Outcome {
  readonly lookups: number;
  readonly found: number;
  readonly faults: readonly string[];
}

function hammer(job: Job): Outcome {
  const live = attachCredentials(job.buffers);
  const digests = Array.from({ length: KEYS }, (_, i) => keyOf(i));
  const faults: string[] = [];
  let found = 0;
  let lookups = 0;
  while (Atomics.load(job.counts, THREADS) === 0 && faults.length === 0) {
    const i = (lookups * 7 + job.thread) % KEYS;
    const outcome = look(job, live, i, digests[i]);
    if (outcome === true) found++;
    else if (typeof outcome === 'string') faults.push(outcome);
    if (faults.length > 0) Atomics.store(job.counts, THREADS, 1);
    Atomics.store(job.counts, job.thread, ++lookups);
  }
  return { lookups, found, faults };
}

/** True: found, and rightly so. A text: what was wrong. */
function look({ keys, consumers }: Job, live: LiveConsumers, i: number, digest: string): boolean | string {
  const before = Atomics.load(keys, i);
  const issue = Math.floor(before / PHASES);
  const owner = ownerOf(i, issue);
  const ownerBefore = Atomics.load(consumers, owner);
  const match = live.find('api-key', digest);
  const isSteady = Atomics.load(keys, i) === before && Atomics.load(consumers, owner) === ownerBefore;
  const fault = match === undefined ? undefined : faultIn(match, i);
  if (fault !== undefined) return fault;
  if (!isSteady) return match !== undefined;
  const [phase, ownerPhase] = [before % PHASES, ownerBefore % PHASES];
  if (phase === GONE && match !== undefined) return `${i}: found after its revocation had returned`;
  if (phase === THERE && ownerPhase === GONE && match !== undefined) return `${i}: found though disabled`;
  if (phase === THERE && ownerPhase === THERE && match === undefined) return `${i}: not found though there`;
  if (phase === THERE && match !== undefined && match.identity.credential?.id !== idOf(i, issue)) {
    return `${i}: an older credential was found`;
  }
  return match !== undefined;
}

/** All parts of a match are of one credential of that key and its consumer. */
function faultIn({ identity, verifier, expiresAtMs }: LiveMatch, i: number): string | undefined {
  const { id = '' } = identity.credential ?? {};
  const issue = Number.parseInt(id.slice(3, 11), 16);
  const owner = ownerOf(i, issue);
  const isWhole =
    id === idOf(i, issue) &&
    identity.consumer === `consumer-${owner}` &&
    identity.groups[0] === `group-${owner}` &&
    verifier === verifierOf(i, issue) &&
    expiresAtMs === (issue + 1) * 1000;
  return isWhole ? undefined : `${i}: ${JSON.stringify([identity, verifier, expiresAtMs])}`;
}

/** The owner's side: what it changes is in flux before, and steady after. */
class Owner {
  readonly table = new CredentialTable();
  readonly #keys: Int32Array;
  readonly #consumers: Int32Array;
  #filler = 0;

  constructor(keys: Int32Array, consumers: Int32Array) {
    this.#keys = keys;
    this.#consumers = consumers;
    for (let c = 0; c < CONSUMERS; c++) this.#putConsumer(c, THERE);
  }

  step(round: number): void {
    const i = (round * 13) % KEYS;
    const state = this.#keys[i];
    const issue = Math.floor(state / PHASES);
    if (state % PHASES === THERE && round % 3 !== 0) this.#revoke(i, issue);
    else this.#issue(i, issue + 1, state % PHASES === THERE);
    if (round % 5 === 0) this.#toggle(round % CONSUMERS);
    if (round % 2 === 0) this.#fill();
  }

  #revoke(i: number, issue: number): void {
    Atomics.store(this.#keys, i, issue * PHASES + FLUX);
    assert.ok(this.table.removeCredential('api-key', keyOf(i)));
    Atomics.store(this.#keys, i, issue * PHASES + GONE);
  }

  /** In place of the one before, where that is still there. */
  #issue(i: number, issue: number, isThere: boolean): void {
    Atomics.store(this.#keys, i, issue * PHASES + FLUX);
    this.table.putCredential({
      id: idOf(i, issue),
      consumer: `consumer-${ownerOf(i, issue)}`,
      kind: 'api-key',
      key: keyOf(i),
      expiresAtMs: (issue + 1) * 1000,
      notBeforeMs: undefined,
      verifier: verifierOf(i, issue),
    });
    Atomics.store(this.#keys, i, issue * PHASES + THERE);
    assert.ok(isThere || this.table.stats.credentials > 0);
  }

  #toggle(c: number): void {
    const state = this.#consumers[c];
    const change = Math.floor(state / PHASES) + 1;
    Atomics.store(this.#consumers, c, change * PHASES + FLUX);
    const phase = state % PHASES === THERE ? GONE : THERE;
    this.#putConsumer(c, phase);
    Atomics.store(this.#consumers, c, change * PHASES + phase);
  }

  #putConsumer(c: number, phase: number): void {
    this.table.putConsumer({
      name: `consumer-${c}`,
      groups: [`group-${c}`],
      isDisabled: phase === GONE,
      isOfDocument: false,
    });
    if (this.#consumers[c] === 0) Atomics.store(this.#consumers, c, phase);
  }

  /** Others that come and go make the table grow and its index be swept. */
  #fill(): void {
    const n = this.#filler++;
    this.table.putCredential({
      id: idOf(n, 0xffff),
      consumer: `consumer-${n % CONSUMERS}`,
      kind: 'api-key',
      key: keyOf(1000 + n),
      expiresAtMs: undefined,
      notBeforeMs: undefined,
      verifier: n % 3 === 0 ? 'x'.repeat(n % 300) : undefined,
    });
    if (n >= 200 && n % 8 !== 0) this.table.removeCredential('api-key', keyOf(1000 + n - 200));
  }
}

const shared = (words: number): Int32Array => new Int32Array(new SharedArrayBuffer(words * 4));

function tests(): void {
  test('readers never see a wrong identity, nor one whose revocation has returned', async () => {
    const [keys, consumers, counts] = [shared(KEYS), shared(CONSUMERS), shared(THREADS + 1)];
    const owner = new Owner(keys, consumers);
    const workers = Array.from({ length: THREADS }, (_, thread) => {
      const job: Job = { buffers: owner.table.buffers, keys, consumers, counts, thread };
      return new Worker(new URL(import.meta.url), { workerData: job });
    });
    const outcomes = workers.map(async (worker): Promise<Outcome> => (await once(worker, 'message'))[0]);
    await Promise.all(workers.map((worker) => once(worker, 'online')));
    const bytes = owner.table.stats.bytes;
    const isOver = () => Atomics.load(counts, THREADS) === 1;
    const isHammered = () => workers.every((_, thread) => Atomics.load(counts, thread) >= MIN_LOOKUPS);
    const untilMs = performance.now() + 60_000;
    for (let round = 0; !isOver() && (round < ROUNDS || !isHammered()); round++) {
      owner.step(round);
      if (round % 1000 === 0) assert.ok(performance.now() < untilMs, 'the threads never got to look');
    }
    Atomics.store(counts, THREADS, 1);
    for (const { lookups, found, faults } of await Promise.all(outcomes)) {
      assert.deepEqual(faults, []);
      // Enough of both answers, or the test has shown nothing.
      assert.ok(found > lookups / 100 && found < lookups * 0.99, `${found} of ${lookups} were found`);
    }
    assert.ok(owner.table.stats.bytes > bytes * 4, 'the table never grew');
    await Promise.all(workers.map((worker) => worker.terminate()));
  });
}
