import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Trial } from '../contract/index.ts';
import { InternalError } from '../errors.ts';
import { Activation, TrialEndedError } from './activation.ts';
import { ActivationError, type Deadline, type WorkerPort } from './worker-port.ts';

interface Bundle {
  readonly revision: string;
}

const bundle = (revision: string): Bundle => ({ revision });

/** A trial of a revision on a share of its callers. */
const trialOf = (revision: string, share = 0.01): Trial => ({
  rollout: `rollout of ${revision}`,
  revision,
  shadow: undefined,
  canary: { share, consumers: [], routes: [], addresses: [] },
});

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

/** A worker that does orders one after the other, as a thread does, but for trials, which it takes and ends at once. */
class FakeWorker implements WorkerPort<Bundle> {
  readonly id: number;
  readonly prepared = new Set<string>();
  readonly log: string[] = [];
  serves: string | undefined;
  trial: Trial | undefined;
  dead = false;
  retiredFor: string | undefined;
  onDeath: () => void = () => {};
  readonly #fates: Fate[];
  readonly #pending = new Set<(error: Error) => void>();
  #queue: Promise<void> = Promise.resolve();
  #atOnceQueue: Promise<void> = Promise.resolve();

  constructor(id: number, fates: readonly Fate[] = []) {
    this.id = id;
    this.#fates = [...fates];
  }

  prepare(b: Bundle): Promise<void> {
    return this.#order(`prepare ${b.revision}`, () => this.prepared.add(b.revision));
  }

  activate(revision: string): Promise<void> {
    return this.#order(`activate ${revision}`, () => {
      assert.ok(this.prepared.delete(revision), 'swapped to what was never prepared');
      this.serves = revision;
      if (this.trial?.revision === revision) this.trial = undefined;
      else this.#stopTrial();
    });
  }

  discard(revision: string): Promise<void> {
    return this.#order(`discard ${revision}`, () => this.prepared.delete(revision));
  }

  setTrial(trial: Trial): Promise<void> {
    return this.#atOnce(`try ${trial.revision}`, () => {
      assert.ok(this.prepared.has(trial.revision), 'tries what was never prepared');
      assert.notEqual(this.serves, undefined, 'tries before it serves');
      this.trial = trial;
    });
  }

  endTrial(): Promise<void> {
    return this.#atOnce('end trial', () => this.#stopTrial());
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

  #stopTrial(): void {
    if (this.trial === undefined) return;
    this.prepared.delete(this.trial.revision);
    this.trial = undefined;
  }

  #order(what: string, effect: () => void): Promise<void> {
    const fate = this.#fates.shift() ?? 'ok';
    return new Promise((done, fail) => {
      if (this.dead) return fail(new Error('the worker is dead'));
      this.#pending.add(fail);
      this.#queue = this.#queue.then(async () => {
        await ticks(fate === 'late' ? DEADLINE_TICKS * 3 : 2);
        this.#obey(fate, what, effect, done, fail);
      });
    });
  }

  #atOnce(what: string, effect: () => void): Promise<void> {
    const fate = this.#fates.shift() ?? 'ok';
    return new Promise((done, fail) => {
      if (this.dead) return fail(new Error('the worker is dead'));
      this.#pending.add(fail);
      // Of a thread that hangs none is done before the one in front of it.
      this.#atOnceQueue = this.#atOnceQueue.then(async () => {
        await ticks(fate === 'late' ? DEADLINE_TICKS * 3 : 1);
        this.#obey(fate, what, effect, done, fail);
      });
    });
  }

  #obey(fate: Fate, what: string, effect: () => void, done: () => void, fail: (error: Error) => void): void {
    if (this.dead) return;
    if (fate === 'crash') return this.die();
    if (fate !== 'refuse') effect();
    this.log.push(what);
    if (fate === 'crash-after') return this.die();
    if (fate === 'mute') return;
    this.#pending.delete(fail);
    if (fate === 'refuse') fail(new Error(`refused to ${what}`));
    else done();
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

/** Workers that serve `r1`; then come the fates. */
const serving = async (fates: readonly (readonly Fate[])[]) => {
  const made = await make(fates.map((f) => ['ok', 'ok', ...f]));
  await made.activation.publish(bundle('r1'));
  for (const worker of made.workers) worker.log.length = 0;
  return made;
};

const tried = (workers: readonly FakeWorker[]) => workers.map(({ trial }) => trial?.revision);

describe('a candidate on trial', () => {
  it('is tried by no worker before the last has prepared it', async () => {
    const { activation, workers } = await serving([[], []]);
    const order: string[] = [];
    for (const w of workers) {
      const push = w.log.push.bind(w.log);
      w.log.push = (line: string) => push(line) + order.push(line);
    }
    await activation.try(bundle('r2'), trialOf('r2'));
    assert.deepEqual(order, ['prepare r2', 'prepare r2', 'try r2', 'try r2']);
    assert.deepEqual(activation.candidate, { bundle: bundle('r2'), trial: trialOf('r2') });
    assert.equal(activation.active?.revision, 'r1');
  });

  const failures: { name: string; fates: Fate[]; phase: 'prepare' | 'try'; retired: boolean }[] = [
    { name: 'cannot prepare it', fates: ['refuse'], phase: 'prepare', retired: false },
    { name: 'dies preparing it', fates: ['crash'], phase: 'prepare', retired: true },
    { name: 'never says it prepared', fates: ['mute'], phase: 'prepare', retired: false },
    { name: 'does not take it', fates: ['ok', 'refuse'], phase: 'try', retired: false },
    { name: 'dies taking it', fates: ['ok', 'crash'], phase: 'try', retired: true },
    { name: 'takes it and does not say', fates: ['ok', 'mute'], phase: 'try', retired: false },
    { name: 'hangs taking it', fates: ['ok', 'late'], phase: 'try', retired: true },
  ];
  for (const { name, fates, phase, retired } of failures) {
    it(`is tried by none when one ${name}`, async () => {
      const { activation, workers } = await serving([[], fates]);
      await assert.rejects(activation.try(bundle('r2'), trialOf('r2')), (error) => {
        assert.ok(error instanceof ActivationError);
        assert.equal(error.phase, phase);
        assert.equal(error.worker, 1);
        return true;
      });
      assert.equal(activation.candidate, undefined);
      assert.deepEqual(tried([workers[0]]), [undefined]);
      assert.equal(workers[0].prepared.size, 0);
      assert.equal(workers[0].serves, 'r1');
      assert.equal(workers[1].dead, retired);
      if (!retired) assert.deepEqual([workers[1].trial, workers[1].prepared.size], [undefined, 0]);
    });

    it(`can be tried later when one ${name}`, async () => {
      const { activation, workers } = await serving([[], fates]);
      await assert.rejects(activation.try(bundle('r2'), trialOf('r2')));
      await activation.try(bundle('r2'), trialOf('r2'));
      assert.deepEqual(tried(workers.filter((w) => !w.dead)), retired ? ['r2'] : ['r2', 'r2']);
    });
  }

  it('changes its part without being prepared again', async () => {
    const { activation, workers } = await serving([[]]);
    await activation.try(bundle('r2'), trialOf('r2', 0.01));
    await activation.try(bundle('r2'), trialOf('r2', 0.5));
    assert.deepEqual(workers[0].log, ['prepare r2', 'try r2', 'try r2']);
    assert.equal(workers[0].trial?.canary?.share, 0.5);
    assert.equal(activation.candidate?.trial.canary?.share, 0.5);
  });

  it('keeps the part it had where one worker does not take another', async () => {
    const { activation, workers } = await serving([[], ['ok', 'ok', 'refuse']]);
    await activation.try(bundle('r2'), trialOf('r2', 0.01));
    await assert.rejects(activation.try(bundle('r2'), trialOf('r2', 0.5)), ActivationError);
    assert.deepEqual(
      workers.map((w) => w.trial?.canary?.share),
      [0.01, 0.01],
    );
    assert.equal(activation.candidate?.trial.canary?.share, 0.01);
  });

  const impossible: { name: string; of: (a: Activation<Bundle>) => Promise<void> }[] = [
    { name: 'of the active revision', of: (a) => a.try(bundle('r1'), trialOf('r1')) },
    { name: 'beside another candidate', of: (a) => a.try(bundle('r3'), trialOf('r3')) },
    { name: 'that names another revision', of: (a) => a.try(bundle('r2'), trialOf('r3')) },
  ];
  for (const { name, of } of impossible) {
    it(`refuses a trial ${name}`, async () => {
      const { activation, workers } = await serving([[]]);
      await activation.try(bundle('r2'), trialOf('r2'));
      await assert.rejects(of(activation), InternalError);
      assert.deepEqual(tried(workers), ['r2']);
    });
  }

  it('refuses a trial beside nothing', async () => {
    const { activation } = await make([[]]);
    await assert.rejects(activation.try(bundle('r1'), trialOf('r1')), InternalError);
  });

  it('becomes active as it was prepared', async () => {
    const { activation, workers } = await serving([[], []]);
    await activation.try(bundle('r2'), trialOf('r2'));
    await activation.publish(bundle('r2'));
    for (const worker of workers) {
      assert.deepEqual(worker.log, ['prepare r2', 'try r2', 'activate r2']);
      assert.deepEqual([worker.serves, worker.trial, worker.prepared.size], ['r2', undefined, 0]);
    }
    assert.equal(activation.active?.revision, 'r2');
    assert.deepEqual([activation.candidate, activation.lostTrial], [undefined, undefined]);
  });

  it('stays on trial when its publication is not approved', async () => {
    const { activation, workers } = await serving([[]]);
    await activation.try(bundle('r2'), trialOf('r2'));
    await assert.rejects(activation.publish(bundle('r2'), () => Promise.reject(new Error('no'))));
    assert.deepEqual(tried(workers), ['r2']);
    assert.equal(activation.candidate?.bundle.revision, 'r2');
  });

  it('is gone, and told as lost, when a worker cannot swap to it', async () => {
    const { activation, workers } = await serving([[], ['ok', 'ok', 'refuse']]);
    await activation.try(bundle('r2'), trialOf('r2'));
    await assert.rejects(activation.publish(bundle('r2')), ActivationError);
    assert.deepEqual([activation.active?.revision, activation.candidate], ['r1', undefined]);
    assert.equal(activation.lostTrial?.trial.revision, 'r2');
    for (const worker of workers) {
      assert.deepEqual([worker.serves, worker.trial, worker.prepared.size], ['r1', undefined, 0]);
    }
  });

  it('is tried beside no other revision than the one it was compared with', async () => {
    const { activation, workers } = await serving([[]]);
    await activation.try(bundle('r2'), trialOf('r2'));
    await activation.publish(bundle('r3'));
    assert.deepEqual([activation.active?.revision, activation.candidate], ['r3', undefined]);
    assert.equal(activation.lostTrial?.trial.revision, 'r2');
    assert.deepEqual([workers[0].trial, workers[0].prepared.size], [undefined, 0]);
  });

  it('outlives a revision that cannot be prepared', async () => {
    const { activation, workers } = await serving([['ok', 'ok', 'refuse']]);
    await activation.try(bundle('r2'), trialOf('r2'));
    await assert.rejects(activation.publish(bundle('r3')), ActivationError);
    assert.deepEqual(tried(workers), ['r2']);
    assert.deepEqual([...workers[0].prepared], ['r2']);
  });

  it('is given to a late worker before that counts', async () => {
    const { activation } = await serving([[]]);
    await activation.try(bundle('r2'), trialOf('r2'));
    const late = new FakeWorker(7);
    await activation.admit(late);
    assert.deepEqual(late.log, ['prepare r1', 'activate r1', 'prepare r2', 'try r2']);
    assert.deepEqual(activation.serving, [0, 7]);
  });

  const late: { name: string; fates: Fate[]; serving: number[] }[] = [
    { name: 'cannot prepare it', fates: ['ok', 'ok', 'refuse'], serving: [0, 7] },
    { name: 'dies preparing it', fates: ['ok', 'ok', 'crash'], serving: [0] },
    { name: 'does not take it', fates: ['ok', 'ok', 'ok', 'refuse'], serving: [0, 7] },
  ];
  for (const { name, fates, serving: expected } of late) {
    it(`costs no worker: the trial ends when a late one ${name}`, async () => {
      const { activation, workers } = await serving([[]]);
      await activation.try(bundle('r2'), trialOf('r2'));
      await activation.admit(new FakeWorker(7, fates)).catch(() => {});
      assert.deepEqual([activation.candidate, tried(workers)], [undefined, [undefined]]);
      assert.equal(activation.lostTrial?.trial.revision, 'r2');
      assert.deepEqual(activation.serving, expected);
    });
  }
});

describe('the end of a trial', () => {
  it('is confirmed by every worker, and nothing is left of the candidate', async () => {
    const { activation, workers } = await serving([[], []]);
    await activation.try(bundle('r2'), trialOf('r2'));
    const ended = activation.endTrial();
    assert.equal(activation.candidate, undefined);
    await ended;
    for (const worker of workers) assert.deepEqual([worker.trial, worker.prepared.size], [undefined, 0]);
    assert.deepEqual(activation.lastTrial, trialOf('r2'));
    assert.equal(activation.lostTrial, undefined);
  });

  it('is nothing without a trial', async () => {
    const { activation, workers } = await serving([[]]);
    await activation.endTrial();
    assert.deepEqual([workers[0].serves, activation.serving], ['r1', [0]]);
  });

  it('waits for no revision that is being prepared', async () => {
    const { activation, workers } = await serving([['ok', 'ok', 'late']]);
    await activation.try(bundle('r2'), trialOf('r2'));
    const published = activation.publish(bundle('r3')).catch(() => {});
    await ticks(3);
    await activation.endTrial();
    assert.equal(workers[0].trial, undefined);
    assert.ok(!workers[0].log.includes('prepare r3'), 'it waited');
    await published;
  });

  for (const fate of ['refuse', 'mute', 'late', 'crash'] as const) {
    it(`retires a worker that does not confirm it: ${fate}`, async () => {
      const { activation, workers } = await serving([[], ['ok', 'ok', fate]]);
      await activation.try(bundle('r2'), trialOf('r2'));
      await activation.endTrial();
      assert.deepEqual([workers[0].trial, workers[0].dead], [undefined, false]);
      assert.ok(workers[1].dead);
      assert.deepEqual(activation.serving, [0]);
    });
  }

  for (const afterTicks of [0, 1, 4, 8, 12, 16]) {
    it(`voids a trial that is about to begin, ${afterTicks} ticks later`, async () => {
      const { activation, workers } = await serving([[], []]);
      const begun = activation.try(bundle('r2'), trialOf('r2')).then(
        () => 'tried',
        (error) => error,
      );
      await ticks(afterTicks);
      await activation.endTrial();
      const outcome = await begun;
      assert.ok(outcome === 'tried' || outcome instanceof TrialEndedError);
      await ticks(DEADLINE_TICKS);
      for (const worker of workers) assert.deepEqual([worker.trial, worker.prepared.size], [undefined, 0]);
      assert.equal(activation.candidate, undefined);
      await activation.try(bundle('r2'), trialOf('r2'));
      assert.deepEqual(tried(workers), ['r2', 'r2']);
    });
  }

  it('stops the candidate on its way to become active', async () => {
    const { activation, workers } = await serving([[]]);
    await activation.try(bundle('r2'), trialOf('r2'));
    const approval = Promise.withResolvers<void>();
    const published = activation.publish(bundle('r2'), () => approval.promise);
    await ticks(3);
    await activation.endTrial();
    approval.resolve();
    await assert.rejects(published, TrialEndedError);
    assert.deepEqual([workers[0].serves, activation.active?.revision], ['r1', 'r1']);
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

/** An activation with a supervisor that replaces whoever dies. `settle` resolves when all is quiet. */
function supervised(
  workers: readonly (readonly Fate[])[],
  later: readonly (readonly Fate[])[],
  deaths: readonly { readonly worker: number; readonly atTick: number }[],
) {
  const activation = new Activation<Bundle>(deadlineInTicks);
  const alive = new Set<FakeWorker>();
  const admissions: Promise<void>[] = [];
  const replacements = [...later];
  let nextId = 0;
  const start = (fates: readonly Fate[]): FakeWorker => {
    const worker = new FakeWorker(nextId++, fates);
    alive.add(worker);
    worker.onDeath = () => {
      alive.delete(worker);
      activation.remove(worker);
      start(replacements.shift() ?? []);
    };
    // Before the first revision one joins without a word, even dead.
    const joined = activation.admit(worker).then(() => {
      if (worker.dead) activation.remove(worker);
    });
    admissions.push(joined.catch(() => {}));
    return worker;
  };
  const first = workers.map(start);
  for (const { worker, atTick } of deaths) void ticks(atTick).then(() => first[worker]?.die());
  const admitted = async () => {
    for (let settled = 0; settled < admissions.length; settled++) await admissions[settled];
  };
  const settle = async () => {
    await admitted();
    await ticks(DEADLINE_TICKS * 20);
    await admitted();
  };
  return { activation, alive, settle };
}

/** Plays a story, and returns what there is when all is quiet. */
async function play(s: typeof story extends fc.Arbitrary<infer T> ? T : never) {
  const { activation, alive, settle } = supervised(s.workers, s.replacements, s.deaths);
  const outcomes: boolean[] = [];
  for (let i = 0; i < s.publishes; i++) {
    const done = await activation.publish(bundle(`r${i}`)).then(
      () => true,
      () => false,
    );
    outcomes.push(done);
  }
  await settle();
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

const step = fc.record({
  kind: fc.constantFrom('publish', 'try', 'try again', 'end'),
  revision: fc.constantFrom('r1', 'r2', 'r3'),
  share: fc.constantFrom(0.01, 0.1, 1),
  waits: fc.boolean(),
  afterTicks: fc.nat(40),
});

const rolloutStory = fc.record({
  workers: fc.array(fc.array(fate, { maxLength: 12 }), { minLength: 1, maxLength: 3 }),
  replacements: fc.array(fc.array(fate, { maxLength: 6 }), { maxLength: 8 }),
  steps: fc.array(step, { minLength: 1, maxLength: 8 }),
  deaths: fc.array(fc.record({ worker: fc.nat(2), atTick: fc.nat(200) }), { maxLength: 2 }),
});

describe('trials under random failures', () => {
  it('leave every worker on the active revision and the one trial there is, or on none', async () => {
    await fc.assert(
      fc.asyncProperty(rolloutStory, async (s) => {
        const { activation, alive, settle } = supervised(s.workers, s.replacements, s.deaths);
        await settle();
        for (const { kind, revision, share, waits, afterTicks } of s.steps) {
          const done = {
            publish: () => activation.publish(bundle(revision)),
            try: () => activation.try(bundle(revision), trialOf(revision, share)),
            'try again': async () => {
              const { candidate } = activation;
              if (candidate)
                await activation.try(candidate.bundle, trialOf(candidate.bundle.revision, share));
            },
            end: () => activation.endTrial(),
          }
            [kind]()
            .catch(() => {});
          if (waits) await done;
          await ticks(afterTicks);
        }
        await settle();
        const { active, candidate } = activation;
        const serving = new Set(activation.serving);
        assert.equal(serving.size, s.workers.length, 'a lost worker was not replaced');
        for (const worker of alive) {
          assert.ok(serving.has(worker.id));
          assert.equal(worker.serves, active?.revision);
          assert.deepEqual(worker.trial, candidate?.trial);
          assert.deepEqual([...worker.prepared], candidate === undefined ? [] : [candidate.bundle.revision]);
        }
      }),
      { numRuns: 300 },
    );
  });
});
