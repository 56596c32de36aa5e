import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { policyContext } from '../../test/fixtures/policy-context.ts';
import type { Notice } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import { requestPriority } from './request-priority.ts';

const SAY = 'say critical, high, normal, low, or an expression that gives one';
const deps = { attachment: 'route:orders/concurrency' };

const faults: readonly [option: string, suggestion: string | undefined][] = [
  ['hihg', 'did you mean "high"?'],
  ['urgent', SAY],
  ['now', 'did you mean "low"?'],
  ['requst.path', 'did you mean "request"?'],
  ['1 + 1', undefined],
  ['"high', undefined],
  // The same for every request, and never a priority.
  ['"hihg"', 'did you mean "high"?'],
  ['"urgent"', SAY],
  ['"HIGH"', 'did you mean "high"?'],
  ['1 == 2 ? "high" : "nothing at all"', SAY],
  ['["high"][1]', SAY],
];

const decided: readonly [option: string | undefined, path: string, priority: string, notices: Notice[]][] = [
  [undefined, '/a', 'low', []],
  ['critical', '/a', 'critical', []],
  ['"high"', '/a', 'high', []],
  ['request.path == "/a" ? "high" : "normal"', '/a', 'high', []],
  ['request.path == "/a" ? "high" : "hihg"', '/b', 'low', ['priority-undecided']],
  ['request.headers["x-priority"]', '/a', 'low', ['priority-undecided']],
];

describe('a priority', () => {
  for (const [option, suggestion] of faults) {
    it(`is refused at compile: ${option}`, () => {
      assert.throws(
        () => requestPriority(option, deps, 'at.priority'),
        (error) => {
          assert.ok(error instanceof ConfigError);
          assert.deepEqual(
            error.issues.map(({ path, suggestion: told }) => [path, told]),
            [['at.priority', suggestion]],
          );
          return true;
        },
      );
    });
  }

  for (const [option, path, priority, notices] of decided) {
    it(`of ${path} is ${priority} by ${option}`, () => {
      const c = policyContext({ path, priority: 'low' });
      assert.equal(requestPriority(option, deps)(c), priority);
      assert.deepEqual(c.notices, notices);
    });
  }
});
