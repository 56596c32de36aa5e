import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type Bundle,
  bundle,
  DEADLINE_TICKS,
  FakeWorker,
  type Fate,
  fate,
  make,
  supervised,
  ticks,
  trialOf,
} from '../../test/fixtures/fake-workers.ts';
import { InternalError } from '../errors.ts';
import { type Activation, TrialEndedError } from './activation.ts';
import { ActivationError } from './worker-port.ts';

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

  it('is over when worker after worker ends while it is tried', async () => {
    const { activation, workers } = await serving([[], [], [], []]);
    await activation.try(bundle('r2'), trialOf('r2'));
    const die = (worker: FakeWorker) => {
      worker.die();
      activation.died(worker);
    };
    die(workers[0]);
    await activation.try(bundle('r2'), trialOf('r2', 0.5));
    die(workers[1]);
    activation.died(workers[1]);
    await ticks(DEADLINE_TICKS);
    assert.equal(activation.candidate?.bundle.revision, 'r2', 'two may have ended for any reason');
    die(workers[2]);
    assert.equal(activation.candidate, undefined);
    assert.equal(activation.lostTrial?.trial.revision, 'r2');
    await ticks(DEADLINE_TICKS);
    assert.deepEqual([workers[3].trial, workers[3].serves, workers[3].dead], [undefined, 'r1', false]);
  });

  it('does not suffer from workers that are replaced', async () => {
    const { activation, workers } = await serving([[], [], [], []]);
    await activation.try(bundle('r2'), trialOf('r2'));
    for (const worker of workers.slice(1)) {
      await activation.release(worker);
      activation.died(worker);
    }
    assert.equal(activation.candidate?.bundle.revision, 'r2');
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

  it('reaches a worker that is just being taken in, whenever it comes', async () => {
    for (let afterTicks = 0; afterTicks < 60; afterTicks++) {
      const { activation } = await serving([[]]);
      await activation.try(bundle('r2'), trialOf('r2'));
      const late = new FakeWorker(7);
      const admitted = activation.admit(late);
      await ticks(afterTicks);
      const ended = activation.endTrial();
      await Promise.all([admitted, ended]);
      await ticks(DEADLINE_TICKS);
      assert.deepEqual([late.trial, late.prepared.size, late.dead], [undefined, 0, false], `${afterTicks}`);
      assert.deepEqual(activation.serving, [0, 7]);
    }
  });

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
