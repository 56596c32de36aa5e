import assert from 'node:assert/strict';
import { it } from 'node:test';
import { HandSnapshot } from '../../test/fixtures/data-plane.ts';
import { NO_STATE } from '../../test/fixtures/nobody-there.ts';
import { policyContext } from '../../test/fixtures/policy-context.ts';
import { CONTINUE, type CounterState, type Policy } from '../contract/index.ts';
import { Evaluation } from './evaluation.ts';

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
  const views: CounterState[] = [];
  const state: CounterState = {
    ...NO_STATE,
    ofRequest: () => {
      const view = { ...NO_STATE };
      views.push(view);
      return view;
    },
  };
  for (let n = 0; n < 2; n++) await new Evaluation(listener, request, { ...deps, state }).runRequest();
  assert.equal(views.length, 2);
  assert.equal(seen.length, 6);
  for (const [i, one] of seen.entries()) assert.equal(one, views[Math.floor(i / 3)]);
});
