import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { bundle, FakeWorker, type Fate, fate, make, supervised } from '../../test/fixtures/fake-workers.ts';
import { ActivationError } from './worker-port.ts';

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

const story = fc.record({
  workers: fc.array(fc.array(fate, { maxLength: 12 }), { minLength: 1, maxLength: 4 }),
  replacements: fc.array(fc.array(fate, { maxLength: 6 }), { maxLength: 8 }),
  publishes: fc.integer({ min: 1, max: 6 }),
  deaths: fc.array(fc.record({ worker: fc.nat(3), atTick: fc.nat(200) }), { maxLength: 2 }),
});

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
