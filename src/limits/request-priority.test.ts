import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError } from '../errors.ts';
import { requestPriority } from './request-priority.ts';

const faults: readonly [option: string, suggestion: string | undefined][] = [
  ['hihg', 'did you mean "high"?'],
  ['urgent', 'say critical, high, normal, low, or an expression that gives one'],
  ['now', 'did you mean "low"?'],
  ['requst.path', 'did you mean "request"?'],
  ['1 + 1', undefined],
  ['"high', undefined],
];

describe('a priority', () => {
  for (const [option, suggestion] of faults) {
    it(`is refused at compile: ${option}`, () => {
      assert.throws(
        () => requestPriority(option, 'at.priority'),
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
});
