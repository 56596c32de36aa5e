import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type OwnFacts, ownStatus } from './own-status.ts';
import { trialKey } from './trial-key.ts';

const facts: OwnFacts = {
  activation: { active: { revision: 'a' }, candidate: undefined },
  workers: [{ state: 'serving' }],
  storeState: 'ok',
  refusal: undefined,
  followed: undefined,
};

test('a node without a candidate and without a fault says neither', () => {
  assert.deepEqual(ownStatus(facts), {
    revision: 'a',
    candidate: undefined,
    workers: ['serving'],
    store: 'ok',
    error: undefined,
    refused: undefined,
    settled: undefined,
  });
});

test('a node says what it tries, and what it refused last', () => {
  const trial = { rollout: 'r', revision: 'b', shadow: undefined, canary: undefined };
  const issues = [
    { path: 'routes[0]', message: 'is wrong' },
    { path: '', message: 'more' },
    { path: '', message: '' },
  ];
  const refusal = { atMs: 5, origin: 'file', revision: undefined, issues } as const;
  const status = ownStatus({
    ...facts,
    activation: { active: undefined, candidate: { trial } },
    refusal,
  });
  assert.equal(status.revision, undefined);
  assert.deepEqual(status.candidate, {
    rollout: 'r',
    revision: 'b',
    step: 'prepared',
    key: trialKey(trial),
  });
  assert.deepEqual(status.error, {
    at: 5,
    message: 'a document was refused: routes[0]: is wrong (and 2 more)',
  });
});

test('a refusal without a place is told all the same', () => {
  for (const [issues, message] of [
    [[{ path: '', message: 'no worker' }], 'a document was refused: no worker'],
    [[], 'a document was refused: '],
  ] as const) {
    const refusal = { atMs: 5, origin: 'api', revision: undefined, issues } as const;
    assert.equal(ownStatus({ ...facts, refusal }).error?.message, message);
  }
});
