import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { comparesSecret, isSecretField, isSecretReference, secretFormOf } from './secret-forms.ts';

const made = (length: number): string => 'a1B2c3D4e5'.repeat(10).slice(0, length);
const named = (...parts: string[]): string => parts.join('');

describe('forms of secrets', () => {
  const cases: readonly (readonly [text: string, what: string | undefined])[] = [
    [named('-----BEGIN RSA PRIV', 'ATE KEY-----\nMIIE'), 'a private key'],
    [named('eyJ', made(20), '.eyJ', made(20), '.', made(20)), 'a signed token (JWT)'],
    [named('AKIA', 'ABCDEFGHIJKLMNOP'), 'an access key of AWS'],
    [named('token ghp_', made(36)), 'a token of GitHub'],
    [named('glpat-', made(20)), 'a token of GitLab'],
    [named('sk-ant-', made(40)), 'an API key of a model provider'],
    [named('Bearer ', made(20)), 'a bearer token'],
    [named('basic ', made(20)), 'a user name with its password'],
    ['https://user:word@feeds.example.net/x', 'a URL with a password'],
    [named('$argon2id$v=19$m=1,t=1,p=1$', made(30)), 'the hash of a password'],
    ['Bearer realm', undefined],
    ['Token exchange', undefined],
    ['Basic password', undefined],
    ['task-force-of-the-northern-region', undefined],
    ['https://feeds.example.net/a:b@c', undefined],
    ['Basic information', undefined],
    ['', undefined],
  ];
  for (const [text, what] of cases) it(text.slice(0, 24), () => assert.equal(secretFormOf(text), what));

  it('of a long text takes no longer than the text is worth', () => {
    const started = performance.now();
    for (const piece of ['eyJ-', 'eyJa.', 'sk-', 'headers.key', 'a:b@', 'Bearer ']) {
      secretFormOf(piece.repeat(2_000_000));
      comparesSecret(piece.repeat(2_000_000));
    }
    assert.ok(performance.now() - started < 2000);
  });

  it('knows names of fields, references and conditions', () => {
    for (const name of ['Authorization', 'cookie', 'x-api-key', 'X-Auth-Token', 'apikey'])
      assert.ok(isSecretField(name), name);
    for (const name of ['x-keyboard', 'accept', 'x-tokens-left', 'set-cookie-policy'])
      assert.ok(!isSecretField(name), name);
    for (const text of ['env:KEY', 'file:./key']) assert.ok(isSecretReference(text));
    for (const text of ['env:', 'hunter2']) assert.ok(!isSecretReference(text));
    assert.ok(comparesSecret('request.headers["x-api-key"] == "a1b2c3d4e5"'));
    assert.ok(!comparesSecret('request.headers["x-tenant"] == "a1b2c3d4e5"'));
  });
});
