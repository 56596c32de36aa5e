import assert from 'node:assert/strict';
import { describe } from 'node:test';
import {
  type Attached,
  EVERYBODY,
  gate,
  type Plane,
  settled,
  stage,
} from '../../../test/fixtures/data-plane.ts';
import { ok } from '../../../test/fixtures/raw-upstream.ts';
import { figuresOf, get, SHADOW, seenBy, send, shadow } from '../../../test/fixtures/shadowed.ts';
import { CONTINUE, type Decision, reject } from '../../contract/index.ts';
import { PolicyRejection } from '../../errors.ts';

const refuses: Attached = { policy: { request: () => reject(new PolicyRejection('forbidden', 'No.')) } };

describe('how much is judged again', () => {
  stage('a share of it', {}, { answer: ok() }, async ({ plane, upstream }) => {
    await shadow(plane, upstream, {}, { shadow: { share: 0.2, budget: 1 } });
    const client = await plane.connect();
    for (let i = 1; i <= 200; i++) {
      client.send(get());
      await client.response(1);
      client.forget();
    }
    await plane.recorded(200);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const { judged } = figuresOf(plane);
    assert.ok(judged > 15 && judged < 70, `${judged}`);
  });

  stage('nothing of it without a budget', {}, { answer: ok() }, async ({ plane, upstream }) => {
    await shadow(plane, upstream, {}, { shadow: { share: 1, budget: 0 } });
    const figures = await send(plane, get(), get());
    assert.deepEqual([figures.judged, figures.leftOut, figures.costMs], [0, 2, 0]);
    assert.equal(plane.meter.counts.get('sallyport_shadow_judgements_total{result=left-out}'), 2);
  });

  stage('nothing while the worker is late', {}, { answer: ok() }, async ({ plane, upstream }) => {
    await shadow(plane, upstream, {});
    plane.load.lagMs = 21;
    assert.equal((await send(plane, get())).leftOut, 1);
    plane.load.lagMs = 0;
    assert.equal((await send(plane, get())).judged, 1);
  });

  let costs: Plane | undefined;
  const costly: Attached = {
    policy: {
      request() {
        costs?.advance(50);
        return CONTINUE;
      },
    },
  };
  stage('no more than it may cost', {}, { answer: ok() }, async ({ plane, upstream }) => {
    costs = plane;
    // 100 ms of a core are there at once.
    await shadow(plane, upstream, { policies: [costly] }, { shadow: { share: 1, budget: 0.1 } });
    const first = await send(plane, get(), get(), get(), get(), get());
    assert.ok(first.judged <= 3 && first.leftOut >= 2, JSON.stringify(first));
    plane.advance(10_000);
    assert.ok((await send(plane, get())).judged > first.judged);
  });

  stage('nothing once the trial has ended', {}, { answer: ok() }, async ({ plane, upstream }) => {
    await shadow(plane, upstream, { policies: [refuses] });
    await send(plane, get());
    plane.dataPlane.endTrial();
    const client = await plane.send(get());
    await client.response();
    await plane.recorded(2);
    await settled(() => plane.snapshots.slice(1).every(({ disposed }) => disposed === 1), 'all is disposed');
    assert.equal(seenBy(figuresOf(plane)), 1);
  });

  stage(
    'begins anew with another cohort, by those who judge already',
    {},
    { answer: ok() },
    async ({ plane, upstream }) => {
      await shadow(plane, upstream, { policies: [refuses] });
      await send(plane, get());
      const trial = { rollout: 'rollout-1', revision: 'b'.repeat(64), shadow: SHADOW };
      plane.dataPlane.setTrial({ ...trial, canary: { ...EVERYBODY, share: 0 } });
      await settled(() => plane.compiledAgain.length === 2, 'who judges by the active revision');
      assert.equal(figuresOf(plane).judged, 0);
      assert.equal((await send(plane, get())).judged, 1);
      assert.deepEqual(
        plane.compiledAgain.map((revision) => revision[0]),
        ['b', 'a'],
      );
    },
  );
});

describe('a candidate that cannot be judged by', () => {
  stage('is told: nothing of it is decided', {}, { answer: ok() }, async ({ plane, upstream }) => {
    plane.notAgain.add('b');
    await plane.tryOut({ targets: [upstream.port] }, { shadow: SHADOW, canary: undefined });
    await settled(() => plane.logged.includes('shadow-not-compiled'), 'the failure');
    assert.deepEqual((await send(plane, get())).undecided, { failed: 1 });
  });

  const judging = gate<Decision>();
  let waits = 0;
  const slow: Attached = {
    policy: {
      request() {
        waits++;
        return judging.promise;
      },
    },
  };
  stage(
    'is not disposed while a judgement waits in it',
    {},
    { answer: ok() },
    async ({ plane, upstream }) => {
      await shadow(plane, upstream, { policies: [slow] });
      const client = await plane.send(get());
      await client.response();
      await settled(() => waits === 1, 'it waits');
      plane.dataPlane.endTrial();
      const again = plane.snapshots.at(-1);
      assert.equal(again?.disposed, 0);
      judging.open(CONTINUE);
      await settled(() => again?.disposed === 1, 'it is disposed');
    },
  );
});
