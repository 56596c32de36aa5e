import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { challenge } from './challenge.ts';

describe('a challenge', () => {
  const cases: readonly [scheme: string, parameters: Record<string, string | undefined>, text: string][] = [
    ['Negotiate', {}, 'Negotiate'],
    ['Key', { realm: 'api' }, 'Key realm="api"'],
    ['Basic', { realm: 'a b', charset: 'UTF-8' }, 'Basic realm="a b", charset="UTF-8"'],
    ['Bearer', { realm: 'api', error: undefined, scope: 'a b' }, 'Bearer realm="api", scope="a b"'],
    ['Bearer', { error: undefined }, 'Bearer'],
    // What could end the quoted string, split the message or be read in two ways is left out.
    ['Key', { realm: 'a"b\\c' }, 'Key realm="abc"'],
    ['Key', { realm: 'a\r\nSet-Cookie: x=1\u0000\t\u007f' }, 'Key realm="aSet-Cookie: x=1"'],
    ['Key', { realm: 'caf\u00e9\u010d\u010a' }, 'Key realm="caf"'],
    ['Key', { realm: '' }, 'Key realm=""'],
  ];
  for (const [scheme, parameters, text] of cases) {
    it(JSON.stringify(text), () => assert.equal(challenge(scheme, parameters), text));
  }
});
