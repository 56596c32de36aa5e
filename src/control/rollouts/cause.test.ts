import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Evidence, GateFinding } from '../../lifecycle/index.ts';
import { causeOf } from './cause.ts';

const finding = (more: Partial<GateFinding>): GateFinding => ({
  gate: 'denyRate',
  state: 'held',
  baseline: 0.02,
  canary: 0.3,
  allowed: 0.024,
  sureness: 0,
  ...more,
});
const arm = { requests: 9, denied: 0, gatewayErrors: 0, upstreamErrors: 0, p99Ms: undefined };
const trial = (...findings: GateFinding[]): Evidence => ({
  kind: 'trial',
  trial: { findings, baseline: arm, canary: arm, judged: 0, flips: [], otherFlips: 0, leftOut: 0 },
});

const CASES: readonly [string, Evidence | undefined, string | undefined][] = [
  ['nothing', undefined, undefined],
  ['gates that hold', trial(finding({})), undefined],
  [
    'gates that are broken, and no other',
    trial(
      finding({ state: 'broken' }),
      finding({ gate: 'flips' }),
      finding({ gate: 'p99', state: 'broken', baseline: 4, canary: 12.345, allowed: 5 }),
    ),
    'gate denyRate: 30%, at most 2.4% (in service 2%); gate p99: 12.35 ms, at most 5 ms (in service 4 ms)',
  ],
  ['a failure', { kind: 'failure', message: 'a worker is gone' }, 'a worker is gone'],
  ['an issue', { kind: 'issues', issues: [{ path: 'routes[0]', message: 'is none' }] }, 'routes[0]: is none'],
  ['none of them', { kind: 'issues', issues: [] }, undefined],
];
for (const [name, evidence, cause] of CASES) {
  it(`why a rollout ended, by ${name}`, () => assert.equal(causeOf(evidence), cause));
}
