import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { compileDeps, identity, policyContext } from '../../../test/fixtures/policy-context.ts';
import { headers } from './policy.ts';

runPolicyCases(headers, new URL('cases.json', import.meta.url));

describe('headers: a caller’s name in a value is one part of it', () => {
  const cases: readonly (readonly [consumer: string, value: string])[] = [
    ['mobile-app', 'of=mobile-app; from=192.0.2.1'],
    ['Ann B', 'of=Ann B; from=192.0.2.1'],
    ['ann@example.com', 'of=ann@example.com; from=192.0.2.1'],
    ['a\r\nX-Admin: 1', 'of=a%0D%0AX-Admin%3A%201; from=192.0.2.1'],
    ['a\0b', 'of=a%00b; from=192.0.2.1'],
    ['a\u0100b', 'of=a%C4%80b; from=192.0.2.1'],
    ['x; from=10.0.0.1', 'of=x%3B%20from%3D10.0.0.1; from=192.0.2.1'],
    ['x, of=root', 'of=x%2C%20of%3Droot; from=192.0.2.1'],
    ['x&admin=1', 'of=x%26admin%3D1; from=192.0.2.1'],
    ['"x"', 'of=%22x%22; from=192.0.2.1'],
    ['%72oot', 'of=%2572oot; from=192.0.2.1'],
    [' root', 'of=%20root; from=192.0.2.1'],
  ];
  for (const [consumer, value] of cases) {
    it(JSON.stringify(consumer), async () => {
      const set = { 'X-A': `of=\${consumer}; from=\${client}` };
      const policy = await headers.compile({ request: { set } }, compileDeps());
      const context = policyContext({ identity: identity({ consumer }) });
      await policy.request?.(context);
      assert.deepEqual(context.recorded, [['setRequestHeader', 'X-A', value]]);
    });
  }

  it('a value that no header can carry fails the policy, and nothing is asked for', async () => {
    for (const part of ['request', 'response']) {
      const policy = await headers.compile({ [part]: { set: { 'X-A': `\${request.path}` } } }, compileDeps());
      const context = policyContext({ path: '/a\r\nX-Admin: 1' });
      assert.throws(() => policy.request?.(context), TypeError);
      assert.deepEqual(context.recorded, []);
    }
  });
});
