import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CALLER_GROUPS, LATENCY_BUCKETS, latencyBound } from '../../contract/index.ts';
import { ERRORS, type ErrorCode, PolicyRejection, RequestError, UpstreamError } from '../../errors.ts';
import type { EndedExchange } from '../recorder.ts';
import { Arm, latencyBucket } from './arm.ts';
import { armOutcomeOf, isTimed } from './arm-outcome.ts';

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
  const cases: { name: string; ended: Ended; outcome: string | undefined; timed: boolean }[] = [
    {
      name: 'the upstream answers',
      ended: { error: undefined, status: 200, dispatch: DISPATCH },
      outcome: 'answered',
      timed: true,
    },
    {
      name: 'the upstream refuses',
      ended: { error: undefined, status: 403, dispatch: DISPATCH },
      outcome: 'answered',
      timed: true,
    },
    {
      name: 'the upstream fails',
      ended: { error: undefined, status: 500, dispatch: DISPATCH },
      outcome: 'upstream-error',
      timed: true,
    },
    {
      name: 'a tunnel',
      ended: { error: undefined, status: 101, dispatch: DISPATCH },
      outcome: 'answered',
      timed: false,
    },
    {
      name: 'a policy answers',
      ended: { error: undefined, status: 204, dispatch: undefined },
      outcome: 'answered',
      timed: false,
    },
    {
      name: 'a policy answers that it refuses',
      ended: { error: undefined, status: 403, dispatch: undefined },
      outcome: 'denied',
      timed: false,
    },
    {
      name: 'a policy answers that it fails',
      ended: { error: undefined, status: 500, dispatch: undefined },
      outcome: 'gateway-error',
      timed: false,
    },
    { name: 'a policy refuses', ended: gatewayMade('forbidden'), outcome: 'denied', timed: false },
    {
      name: 'a policy refuses as 503',
      ended: gatewayMade('forbidden', 503),
      outcome: 'denied',
      timed: false,
    },
    { name: 'a limit', ended: gatewayMade('rate-limited'), outcome: 'denied', timed: false },
    { name: 'no route', ended: gatewayMade('no-route'), outcome: 'denied', timed: false },
    { name: 'a policy breaks', ended: gatewayMade('policy-failed'), outcome: 'gateway-error', timed: false },
    {
      name: 'callers cannot be known',
      ended: gatewayMade('identity-unavailable'),
      outcome: 'gateway-error',
      timed: false,
    },
    { name: 'too many requests', ended: gatewayMade('overloaded'), outcome: undefined, timed: false },
    {
      name: 'an answer is withheld',
      ended: { ...gatewayMade('response-rejected'), dispatch: DISPATCH },
      outcome: 'denied',
      timed: true,
    },
    {
      name: 'a path that can be read in two ways',
      ended: { error: new RequestError('bad-path', 'x', ''), status: 400, dispatch: undefined },
      outcome: 'denied',
      timed: false,
    },
    {
      name: 'the client goes away',
      ended: { error: new RequestError('client-closed-request', 'x', ''), status: 0, dispatch: DISPATCH },
      outcome: 'answered',
      timed: false,
    },
    {
      name: 'the client sends too slowly',
      ended: { error: new RequestError('request-timeout', 'x', ''), status: 408, dispatch: undefined },
      outcome: 'answered',
      timed: false,
    },
    {
      name: 'the upstream cannot be reached',
      ended: { error: new UpstreamError('upstream-unreachable', ''), status: 502, dispatch: DISPATCH },
      outcome: 'upstream-error',
      timed: true,
    },
  ];
  for (const { name, ended, outcome, timed } of cases) {
    it(name, () => {
      assert.equal(armOutcomeOf(ended), outcome);
      assert.equal(isTimed(ended), timed);
    });
  }
});
