import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Activation, ActivationError, type Deadline, type WorkerPort } from './activation.ts';

interface Bundle {
  readonly revision: string;
}

const bundle = (revision: string): Bundle => ({ revision });

const ticks = async (n: number): Promise<void> => {
  for (let i = 0; i < n; i++) await undefined;
};

const DEADLINE_TICKS = 60;

/** Time is counted in turns of the microtask queue: nothing here waits for a clock. */
const deadlineInTicks: Deadline = (work, _ms, what) =>
  Promise.race([
    work,
    ticks(DEADLINE_TICKS).then(() => {
      throw new Error(`${what} took too long`);
    }),
  ]);

/** How the next order ends: done, refused, done but never said, never done, dead before or after doing it. */
type Fate = 'ok' | 'refuse' | 'mute' | 'late' | 'crash' | 'crash-after';

/** A worker that does orders one after the other, as a thread's message queue does. */
class FakeWorker implements WorkerPort<Bundle> {
  readonly id: number;
  readonly prepared = new Set<string>();
  readonly log: string[] = [];
  serves: string | undefined;
  dead = false;
  retiredFor: string | undefined;
  onDeath: () => void = () => {};
  readonly #fates: Fate[];
  readonly #pending = new Set<(error: Error) => void>();
  #queue: Promise<void> = Promise.resolve();

  constructor(id: number, fates: readonly Fate[] = []) {
    this.id = id;
    this.#fates = [...fates];
  }

  prepare(b: Bundle): Promise<void> {
    return this.#order(`prepare ${b.revision}`, () => this.prepared.add(b.revision));
  }

  activate(revision: string): Promise<void> {
    return this.#order(`activate ${revision}`, () => {
      assert.ok(this.prepared.has(revision), 'swapped to what was never prepared');
      this.serves = revision;
    });
  }

  discard(revision: string): Promise<void> {
    return this.#order(`discard ${revision}`, () => this.prepared.delete(revision));
  }

  retire(reason: string): void {
    this.retiredFor = reason;
    this.die();
  }

  die(): void {
    if (this.dead) return;
    this.dead = true;
    for (const fail of this.#pending) fail(new Error('the worker died'));
    this.#pending.clear();
    this.onDeath();
  }

  #order(what: string, effect: () => void): Promise<void> {
    const fate = this.#fates.shift() ?? 'ok';
    return new Promise((done, fail) => {
      if (this.dead) return fail(new Error('the worker is dead'));
      this.#pending.add(fail);
      this.#queue = this.#queue.then(async () => {
        await ticks(fate === 'late' ? DEADLINE_TICKS * 3 : 2);
        if (this.dead) return;
        if (fate === 'crash') return this.die();
        if (fate !== 'refuse') effect();
        this.log.push(what);
        if (fate === 'crash-after') return this.die();
        if (fate === 'mute') return;
        this.#pending.delete(fail);
        if (fate === 'refuse') fail(new Error(`refused to ${what}`));
        else done();
      });
    });
  }
}

const make = async (fates: readonly (readonly Fate[])[]) => {
  const activation = new Activation<Bundle>(deadlineInTicks);
  const workers = fates.map((f, i) => new FakeWorker(i, f));
  for (const worker of workers) await activation.admit(worker);
  return { activation, workers };
};

describe('activation', () => {
  it('orders no swap before the last worker has prepared', async () => {
    const { activation, workers } = await make([[], []]);
    const order: string[] = [];
    for (const w of workers) {
      const push = w.log.push.bind(w.log);
      w.log.push = (line: string) => push(line) + order.push(line);
    }
    await activation.publish(bundle('r1'));
    assert.deepEqual(order, ['prepare r1', 'prepare r1', 'activate r1', 'activate r1']);
    assert.equal(activation.active?.revision, 'r1');
  });

  const failures: { name: string; fates: Fate[]; phase: 'prepare' | 'activate'; retired: boolean }[] = [
    { name: 'refuses to prepare', fates: ['ok', 'ok', 'refuse'], phase: 'prepare', retired: false },
    { name: 'dies preparing', fates: ['ok', 'ok', 'crash'], phase: 'prepare', retired: true },
    { name: 'never says it prepared', fates: ['ok', 'ok', 'mute'], phase: 'prepare', retired: false },
    { name: 'refuses to swap', fates: ['ok', 'ok', 'ok', 'refuse'], phase: 'activate', retired: false },
    { name: 'dies swapping', fates: ['ok', 'ok', 'ok', 'crash'], phase: 'activate', retired: true },
    { name: 'swaps and does not say', fates: ['ok', 'ok', 'ok', 'mute'], phase: 'activate', retired: false },
    { name: 'hangs in the swap', fates: ['ok', 'ok', 'ok', 'late'], phase: 'activate', retired: true },
  ];
  for (const { name, fates, phase, retired } of failures) {
    it(`leaves all on the old revision when one ${name}`, async () => {
      const { activation, workers } = await make([[], fates]);
      await activation.publish(bundle('r1'));
      await assert.rejects(activation.publish(bundle('r2')), (error) => {
        assert.ok(error instanceof ActivationError);
        assert.equal(error.phase, phase);
        assert.equal(error.worker, 1);
        return true;
      });
      assert.equal(activation.active?.revision, 'r1');
      assert.equal(workers[0].serves, 'r1');
      assert.ok(!workers[0].prepared.has('r2'));
      assert.equal(workers[1].dead, retired);
      assert.deepEqual(activation.serving, retired ? [0] : [0, 1]);
      if (!retired) assert.equal(workers[1].serves, 'r1');
    });
  }

  it('discards everywhere when the approval refuses, with its own reason', async () => {
    const { activation, workers } = await make([[], []]);
    await activation.publish(bundle('r1'));
    const refusal = new Error('a test of the document failed');
    await assert.rejects(
      activation.publish(bundle('r2'), () => Promise.reject(refusal)),
      (error) => error === refusal,
    );
    assert.deepEqual(
      workers.map((w) => w.log.slice(2)),
      [
        ['prepare r2', 'discard r2'],
        ['prepare r2', 'discard r2'],
      ],
    );
  });

  it('lets no worker stay when the first revision is swapped by some only', async () => {
    const { activation, workers } = await make([[], ['ok', 'refuse']]);
    await assert.rejects(activation.publish(bundle('r1')));
    assert.equal(activation.active, undefined);
    assert.deepEqual(
      workers.map((w) => w.dead),
      [true, true],
    );
  });

  it('gives a late worker the active revision before it counts', async () => {
    const { activation } = await make([[]]);
    await activation.publish(bundle('r1'));
    const late = new FakeWorker(7);
    const admitted = activation.admit(late);
    assert.deepEqual(activation.serving, [0]);
    await admitted;
    assert.equal(late.serves, 'r1');
    assert.deepEqual(activation.serving, [0, 7]);
  });

  it('retires a late worker that cannot serve the active revision', async () => {
    const { activation } = await make([[]]);
    await activation.publish(bundle('r1'));
    const late = new FakeWorker(7, ['refuse']);
    await assert.rejects(activation.admit(late));
    assert.ok(late.dead);
    assert.deepEqual(activation.serving, [0]);
  });

  it('publishes in the order asked, one at a time', async () => {
    const { activation, workers } = await make([[]]);
    await Promise.all(['r1', 'r2', 'r3'].map((r) => activation.publish(bundle(r))));
    assert.deepEqual(
      workers[0].log.filter((l) => l.startsWith('activate')),
      ['activate r1', 'activate r2', 'activate r3'],
    );
  });
});

const fate = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Fate>('ok') },
  { weight: 1, arbitrary: fc.constantFrom<Fate>('refuse', 'mute', 'late', 'crash', 'crash-after') },
);

const story = fc.record({
  workers: fc.array(fc.array(fate, { maxLength: 12 }), { minLength: 1, maxLength: 4 }),
  replacements: fc.array(fc.array(fate, { maxLength: 6 }), { maxLength: 8 }),
  publishes: fc.integer({ min: 1, max: 6 }),
  deaths: fc.array(fc.record({ worker: fc.nat(3), atTick: fc.nat(200) }), { maxLength: 2 }),
});

/** Plays a story with a supervisor that replaces whoever dies, and returns what there is when all is quiet. */
async function play(s: typeof story extends fc.Arbitrary<infer T> ? T : never) {
  const activation = new Activation<Bundle>(deadlineInTicks);
  const alive = new Set<FakeWorker>();
  const admissions: Promise<void>[] = [];
  const replacements = [...s.replacements];
  let nextId = 0;
  const start = (fates: readonly Fate[]): FakeWorker => {
    const worker = new FakeWorker(nextId++, fates);
    alive.add(worker);
    worker.onDeath = () => {
      alive.delete(worker);
      activation.remove(worker);
      start(replacements.shift() ?? []);
    };
    admissions.push(activation.admit(worker).catch(() => {}));
    return worker;
  };
  const first = s.workers.map(start);
  for (const { worker, atTick } of s.deaths) void ticks(atTick).then(() => first[worker]?.die());
  const outcomes: boolean[] = [];
  for (let i = 0; i < s.publishes; i++) {
    const done = await activation.publish(bundle(`r${i}`)).then(
      () => true,
      () => false,
    );
    outcomes.push(done);
  }
  for (let settled = 0; settled < admissions.length; settled++) await admissions[settled];
  await ticks(DEADLINE_TICKS * 10);
  for (let settled = 0; settled < admissions.length; settled++) await admissions[settled];
  return { activation, alive: [...alive], outcomes };
}

describe('activation under random failures', () => {
  it('never leaves a mixture: every serving worker serves the active revision, the last one published', async () => {
    await fc.assert(
      fc.asyncProperty(story, async (s) => {
        const { activation, alive, outcomes } = await play(s);
        const last = outcomes.lastIndexOf(true);
        assert.equal(activation.active?.revision, last === -1 ? undefined : `r${last}`);
        if (last === -1) return;
        const serving = new Set(activation.serving);
        assert.equal(serving.size, s.workers.length, 'a lost worker was not replaced');
        for (const worker of alive) {
          assert.ok(serving.has(worker.id));
          assert.equal(worker.serves, `r${last}`);
        }
      }),
      { numRuns: 400 },
    );
  });
});
