import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HandSnapshot, type SnapshotParts } from '../../test/fixtures/data-plane.ts';
import { policyContext } from '../../test/fixtures/policy-context.ts';
import { CONTINUE, type Policy, reject, respond, TAKE } from '../contract/index.ts';
import { PolicyRejection } from '../errors.ts';
import { BufferedBody } from './body.ts';
import { Evaluation, type Verdict } from './evaluation.ts';

type Attached = NonNullable<SnapshotParts['policies']>[number];

const NEVER: Policy = { request: () => assert.fail('asked'), requestBody: () => assert.fail('asked') };
const DENIED = new PolicyRejection('forbidden', 'No.');

const takes = (requestBody: Policy['requestBody']): Policy => ({
  request: () => TAKE,
  ...(requestBody === undefined ? {} : { requestBody }),
});
const echo = takes((_, body) => respond({ status: 200, headers: [], body: body.text() }));
const slowEcho: Policy = {
  request: async () => TAKE,
  requestBody: async (_, body) => respond({ status: 200, headers: [], body: body.text() }),
};

function told(verdict: Verdict): string {
  if (verdict.kind === 'forward') return 'forward';
  if (verdict.kind === 'respond') return `respond ${verdict.response.body}`;
  return `${verdict.error.code} by ${verdict.by?.policy}`;
}

/** What the request phase says, whether the body is wanted, and what comes of it. */
async function judged(policies: readonly Attached[], paths = ['/**']): Promise<string[]> {
  const [listener] = new HandSnapshot({ targets: [], policies, paths }).listeners;
  const { request, deps } = policyContext();
  const evaluation = new Evaluation(listener, request, deps);
  const first = told(await evaluation.runRequest());
  if (first !== 'forward' || !evaluation.buffersBody) return [first];
  return [first, told(await evaluation.runRequestBody(new BufferedBody(Buffer.from('hi'))))];
}

const CASES: readonly (readonly [name: string, policies: readonly Attached[], told: readonly string[]])[] = [
  [
    'nobody before it may refuse',
    [{ policy: { request: () => reject(DENIED) } }, { policy: echo }],
    ['forbidden by p0'],
  ],
  [
    'nobody behind it is asked',
    [{ policy: echo }, { policy: NEVER, body: 'buffer' }],
    ['forward', 'respond hi'],
  ],
  [
    'it may take its time',
    [{ policy: slowEcho }, { policy: NEVER, body: 'buffer' }],
    ['forward', 'respond hi'],
  ],
  ['it may refuse', [{ policy: takes(() => reject(DENIED)) }], ['forward', 'forbidden by p0']],
  ['it has to answer', [{ policy: takes(() => CONTINUE) }], ['forward', 'policy-failed by p0']],
  ['it has to have an answer', [{ policy: takes(undefined) }], ['forward', 'policy-failed by p0']],
  [
    'failing lets nothing on',
    [{ policy: takes(() => assert.fail('broke')), onError: 'continue' }],
    ['forward', 'policy-failed by p0'],
  ],
  ['in shadow it takes nothing', [{ policy: echo, mode: 'shadow' }], ['forward']],
  [
    'later phases take nothing',
    [{ policy: { requestBody: () => TAKE }, body: 'buffer' }],
    ['forward', 'policy-failed by p0'],
  ],
];

describe('a policy that takes a request', () => {
  for (const [name, policies, expected] of CASES)
    it(name, async () => assert.deepEqual(await judged(policies), expected));

  it('takes it where no route would', async () => {
    assert.deepEqual(await judged([{ policy: echo }], ['/elsewhere']), ['forward', 'respond hi']);
  });
});
