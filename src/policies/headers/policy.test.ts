import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { compileDeps, identity, policyContext } from '../../../test/fixtures/policy-context.ts';
import { headers } from './policy.ts';

runPolicyCases(headers, new URL('cases.json', import.meta.url));

describe('headers: a value made from a request never splits the head', () => {
  for (const bad of ['a\r\nX-Admin: 1', 'a\nb', 'a\rb', 'a\0b', 'a\x7fb', 'a\u0100b']) {
    it(JSON.stringify(bad), async () => {
      for (const part of ['request', 'response']) {
        const policy = await headers.compile({ [part]: { set: { 'X-A': `\${consumer}` } } }, compileDeps());
        const context = policyContext({ identity: identity({ consumer: bad }) });
        assert.throws(() => policy.request?.(context), TypeError);
        assert.deepEqual(context.recorded, []);
      }
    });
  }
});
