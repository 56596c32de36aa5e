import assert from 'node:assert/strict';
import { it } from 'node:test';
import { HandSnapshot } from '../../test/fixtures/data-plane.ts';
import { NO_STATE } from '../../test/fixtures/nobody-there.ts';
import { policyContext } from '../../test/fixtures/policy-context.ts';
import { CONTINUE, type CounterState, type Policy } from '../contract/index.ts';
import { Evaluation } from './evaluation.ts';

/** Counters, and the views of them that were asked for. */
function viewed(): { readonly state: CounterState; readonly views: readonly CounterState[] } {
  const views: CounterState[] = [];
  const ofRequest = (): CounterState => {
    const view = { ...NO_STATE };
    views.push(view);
    return view;
  };
  return { state: { ...NO_STATE, ofRequest }, views };
}

it('every attachment of a request, in shadow too, asks by the patience of that request', async () => {
  const seen: CounterState[] = [];
  const policy: Policy = {
    request: (c) => {
      seen.push(c.deps.state);
      return CONTINUE;
    },
  };
  const policies = [{ policy }, { policy, mode: 'shadow' as const }, { policy }];
  const [listener] = new HandSnapshot({ targets: [], policies }).listeners;
  const { request, deps } = policyContext();
  const { state, views } = viewed();
  for (let n = 0; n < 2; n++) await new Evaluation(listener, request, { ...deps, state }).runRequest();
  assert.equal(views.length, 2);
  assert.equal(seen.length, 6);
  for (const [i, one] of seen.entries()) assert.equal(one, views[Math.floor(i / 3)]);
});

it('what is done when a request has ended asks by a patience of its own: nobody waits for it', async () => {
  const seen: CounterState[] = [];
  const policy: Policy = {
    request: (c) => {
      c.onEnd(() => void seen.push(c.deps.state));
      return CONTINUE;
    },
  };
  const policies = [{ policy }, { policy, mode: 'shadow' as const }];
  const [listener] = new HandSnapshot({ targets: [], policies }).listeners;
  const { request, deps } = policyContext();
  const { state, views } = viewed();
  const evaluation = new Evaluation(listener, request, { ...deps, state });
  await evaluation.runRequest();
  await evaluation.end({ status: 200, code: undefined, upstreamMs: undefined }, (cause) =>
    assert.fail(`${cause}`),
  );
  assert.equal(views.length, 2);
  assert.equal(seen.length, 2);
  for (const one of seen) assert.equal(one, views[1]);
});

it('a request whose end nobody waits for has one patience', async () => {
  const policy: Policy = { request: () => CONTINUE };
  const [listener] = new HandSnapshot({ targets: [], policies: [{ policy }] }).listeners;
  const { request, deps } = policyContext();
  const { state, views } = viewed();
  const evaluation = new Evaluation(listener, request, { ...deps, state });
  await evaluation.runRequest();
  await evaluation.end({ status: 200, code: undefined, upstreamMs: undefined }, (cause) =>
    assert.fail(`${cause}`),
  );
  assert.equal(views.length, 1);
});
