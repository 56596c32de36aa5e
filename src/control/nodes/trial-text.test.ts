import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CanaryCohort } from '../../contract/index.ts';
import { trialText } from './trial-text.ts';

const cohort = (share: number, more: Partial<CanaryCohort> = {}): CanaryCohort => ({
  share,
  consumers: [],
  routes: [],
  addresses: [],
  ...more,
});

for (const [shadow, canary, text] of [
  [undefined, undefined, 'prepared'],
  [0.25, undefined, 'shadow 25 %'],
  [0.25, cohort(0.1), 'canary 10 %'],
  [undefined, cohort(1 / 3), 'canary 33.3 %'],
  [
    undefined,
    cohort(1, { consumers: ['a'], addresses: ['10.0.0.0/8'] }),
    'canary 100 % of some consumers, addresses',
  ],
] as const) {
  test(`a trial is called ${text}`, () => {
    const share = shadow === undefined ? undefined : { share: shadow, budget: 0.1 };
    assert.equal(trialText({ rollout: 'r', revision: '', shadow: share, canary }), text);
  });
}
