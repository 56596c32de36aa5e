import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Decision } from '../contract/index.ts';
import { HeaderList } from '../lib/header-list.ts';
import { BearerRefusals, MAX_TOKEN_LENGTH, readBearer } from './bearer.ts';

const longest = 't'.repeat(MAX_TOKEN_LENGTH);

/** Field values, and what they present: a fault, nothing, or a token. */
const TABLE: readonly (readonly [fields: readonly string[], expected: 'fault' | 'none' | string])[] = [
  [['Bearer a', 'Bearer a'], 'fault'],
  [['Bearer a', 'Basic a'], 'fault'],
  [['Bearer'], 'fault'],
  [['Bearer '], 'fault'],
  [['Bearer a b'], 'fault'],
  [['Bearer a,b'], 'fault'],
  [['Bearer a=b'], 'fault'],
  [['Bearer ='], 'fault'],
  [['Bearer "a"'], 'fault'],
  [['Bearer caf\xe9'], 'fault'],
  [['Bearer\ta'], 'fault'],
  [[`Bearer ${longest}t`], 'fault'],
  [[], 'none'],
  [['Basic dXNlcjpwYXNz'], 'none'],
  [['DPoP a'], 'none'],
  [['Bearer a.b-c_d~e+f/g=='], 'a.b-c_d~e+f/g=='],
  [['bEARER   a'], 'a'],
  [[`Bearer ${longest}`], longest],
];

const headersOf = (decision: Decision) => (decision.kind === 'reject' ? decision.error.headers : []);

describe('a bearer token', () => {
  for (const [fields, expected] of TABLE) {
    it(`${JSON.stringify(fields).slice(0, 40)} is ${expected.slice(0, 20)}`, () => {
      const read = readBearer(new HeaderList(fields.flatMap((value) => ['Authorization', value])));
      const found = read === undefined ? 'none' : typeof read === 'string' ? 'fault' : read.token;
      assert.equal(found, expected);
    });
  }

  it('may come with another scheme where that is asked for', () => {
    const headers = new HeaderList(['Authorization', 'DPoP a']);
    assert.deepEqual(readBearer(headers, ['bearer', 'dpop']), { scheme: 'dpop', token: 'a' });
  });

  it('is never told in why it is refused', () => {
    const fault = readBearer(new HeaderList(['Authorization', 'Bearer top,secret']));
    assert.equal(typeof fault, 'string');
    assert.doesNotMatch(String(fault), /secret/);
  });
});

describe('refusals of a token', () => {
  const resourceMetadata = 'https://api.example.com/.well-known/oauth-protected-resource';
  const refusals = new BearerRefusals({ realm: 'orders', resourceMetadata });
  const where = `realm="orders", resource_metadata="${resourceMetadata}"`;

  it('have no error code where nothing was presented', () => {
    assert.deepEqual(headersOf(refusals.missing), ['WWW-Authenticate', `Bearer ${where}`]);
  });

  it('differ in their reason alone, whatever is wrong', () => {
    const [a, b] = [refusals.invalid('one'), refusals.invalid('two')];
    assert.ok(a.kind === 'reject' && b.kind === 'reject');
    assert.deepEqual({ ...a.error, reason: '' }, { ...b.error, reason: '' });
    assert.equal(a.error.code, 'invalid-credential');
    assert.deepEqual(headersOf(a), ['WWW-Authenticate', `Bearer ${where}, error="invalid_token"`]);
  });

  it('name the scopes that are asked for', () => {
    const refused = refusals.insufficientScope(['a', 'b'], 'not enough');
    assert.equal(refused.kind === 'reject' && refused.error.status, 403);
    assert.deepEqual(headersOf(refused), [
      'WWW-Authenticate',
      `Bearer ${where}, error="insufficient_scope", scope="a b"`,
    ]);
  });

  it('are failures while tokens cannot be checked, and challenge nobody', () => {
    const { code, status, headers, reason } = refusals.unavailable('down').rejection;
    assert.deepEqual(
      { code, status, headers, reason },
      {
        code: 'identity-unavailable',
        status: 503,
        headers: [],
        reason: 'down',
      },
    );
  });
});
