import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CALLER_GROUPS, LATENCY_BUCKETS, latencyBound } from '../../contract/index.ts';
import { ERRORS, type ErrorCode, PolicyRejection, RequestError, UpstreamError } from '../../errors.ts';
import type { EndedExchange } from '../recorder.ts';
import { Arm, latencyBucket } from './arm.ts';
import { armOutcomeOf, latencyOf } from './arm-outcome.ts';

describe('the bucket of a duration', () => {
  it('is the first whose bound is not below it, at every bound', () => {
    for (let bucket = 0; bucket < LATENCY_BUCKETS - 1; bucket++) {
      const bound = latencyBound(bucket);
      assert.equal(latencyBucket(bound), bucket, `at ${bound}`);
      assert.equal(latencyBucket(bound * 1.000001), bucket + 1, `behind ${bound}`);
    }
  });

  for (const [ms, bucket] of [
    [0, 0],
    [-1, 0],
    [Number.NaN, 0],
    [1e9, LATENCY_BUCKETS - 1],
    [Number.POSITIVE_INFINITY, LATENCY_BUCKETS - 1],
  ]) {
    it(`of ${ms} ms is ${bucket}`, () => assert.equal(latencyBucket(ms), bucket));
  }
});

describe('an arm', () => {
  it('counts each request once, by its group, and errors beside it', () => {
    const arm = new Arm();
    arm.count(3, 'answered', 1);
    arm.count(3, 'denied', undefined);
    arm.count(4, 'gateway-error', undefined);
    arm.count(5, 'upstream-error', 2);
    const { figures } = arm;
    assert.equal(figures.requests.length, CALLER_GROUPS);
    assert.deepEqual(figures.requests.slice(3, 6), [2, 1, 1]);
    assert.deepEqual(figures.denied.slice(3, 6), [1, 0, 0]);
    assert.deepEqual(figures.gatewayErrors.slice(3, 6), [0, 1, 0]);
    assert.deepEqual(figures.upstreamErrors.slice(3, 6), [0, 0, 1]);
    assert.equal(figures.latency[latencyBucket(1)], 1);
    assert.equal(
      figures.latency.reduce((a, b) => a + b),
      2,
    );
  });

  it('says what it had counted when it was asked', () => {
    const arm = new Arm();
    const before = arm.figures;
    arm.count(0, 'denied', 1);
    assert.equal(before.requests[0], 0);
  });
});

type Ended = Pick<EndedExchange, 'error' | 'status' | 'dispatch'>;

/** Whatever it is: it went on to an upstream. */
const DISPATCH: EndedExchange['dispatch'] = Object.create(null);
const gatewayMade = (code: ErrorCode, status = ERRORS[code].status): Ended => ({
  error: new PolicyRejection(code, '', { status }),
  status,
  dispatch: undefined,
});

describe('whose doing an end is', () => {
  const cases: { name: string; ended: Ended; outcome: string | undefined }[] = [
    {
      name: 'the upstream answers',
      ended: { error: undefined, status: 200, dispatch: DISPATCH },
      outcome: 'answered',
    },
    {
      name: 'the upstream refuses',
      ended: { error: undefined, status: 403, dispatch: DISPATCH },
      outcome: 'answered',
    },
    {
      name: 'the upstream fails',
      ended: { error: undefined, status: 500, dispatch: DISPATCH },
      outcome: 'upstream-error',
    },
    {
      name: 'a tunnel',
      ended: { error: undefined, status: 101, dispatch: DISPATCH },
      outcome: 'answered',
    },
    {
      name: 'a policy answers',
      ended: { error: undefined, status: 204, dispatch: undefined },
      outcome: 'answered',
    },
    {
      name: 'a policy answers that it refuses',
      ended: { error: undefined, status: 403, dispatch: undefined },
      outcome: 'denied',
    },
    {
      name: 'a policy answers that it fails',
      ended: { error: undefined, status: 500, dispatch: undefined },
      outcome: 'gateway-error',
    },
    { name: 'a policy refuses', ended: gatewayMade('forbidden'), outcome: 'denied' },
    {
      name: 'a policy refuses as 503',
      ended: gatewayMade('forbidden', 503),
      outcome: 'denied',
    },
    { name: 'a limit', ended: gatewayMade('rate-limited'), outcome: 'denied' },
    { name: 'no route', ended: gatewayMade('no-route'), outcome: 'denied' },
    { name: 'a policy breaks', ended: gatewayMade('policy-failed'), outcome: 'gateway-error' },
    {
      name: 'callers cannot be known',
      ended: gatewayMade('identity-unavailable'),
      outcome: 'gateway-error',
    },
    { name: 'too many requests', ended: gatewayMade('overloaded'), outcome: undefined },
    {
      name: 'an answer is withheld',
      ended: { ...gatewayMade('response-rejected'), dispatch: DISPATCH },
      outcome: 'denied',
    },
    {
      name: 'a path that can be read in two ways',
      ended: { error: new RequestError('bad-path', 'x', ''), status: 400, dispatch: undefined },
      outcome: 'denied',
    },
    {
      name: 'the client goes away',
      ended: { error: new RequestError('client-closed-request', 'x', ''), status: 0, dispatch: DISPATCH },
      outcome: 'answered',
    },
    {
      name: 'the client sends too slowly',
      ended: { error: new RequestError('request-timeout', 'x', ''), status: 408, dispatch: undefined },
      outcome: 'answered',
    },
    {
      name: 'the upstream cannot be reached',
      ended: { error: new UpstreamError('upstream-unreachable', ''), status: 502, dispatch: DISPATCH },
      outcome: 'upstream-error',
    },
  ];
  for (const { name, ended, outcome } of cases) {
    it(name, () => {
      assert.equal(armOutcomeOf(ended), outcome);
    });
  }
});

describe('how long a request waited for its answer', () => {
  const at = (headAtMs: number): EndedExchange['dispatch'] =>
    Object.assign(Object.create(null), { headAtMs });
  const cases: { name: string; dispatch: EndedExchange['dispatch']; latency: number | undefined }[] = [
    { name: 'until its head', dispatch: at(1030), latency: 30 },
    { name: 'it never came', dispatch: at(0), latency: undefined },
    { name: 'nobody was asked', dispatch: undefined, latency: undefined },
  ];
  for (const { name, dispatch, latency } of cases)
    it(name, () => assert.equal(latencyOf({ dispatch, startedAtMs: 1000 }), latency));
});
