import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as sf from 'structured-headers';
import { policyContext } from '../../../test/fixtures/policy-context.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { hasDigests, readContentDigest } from './content-digest.ts';
import { bodyOf, dropped, uncovered } from './coverage.ts';
import { freshnessFault } from './freshness.ts';

const component = (name: string, parameters = new Map<string, string>()) => ({
  name,
  identifier: `"${name}"`,
  parameters,
});

describe('what a signature has to cover', () => {
  const required = ['@method', '@authority', '@path', '@query', 'content-digest', 'x-tenant'];
  const all = ['@method', '@authority', '@path', '@query', 'content-digest', 'x-tenant'];
  const body = { 'content-length': '3' };
  const cases: readonly [
    name: string,
    covered: readonly string[],
    misses: string | undefined,
    query: string,
    headers: object,
  ][] = [
    ['everything', all, undefined, 'a=1', body],
    ['no method', all.filter((n) => n !== '@method'), '@method', 'a=1', body],
    ['no authority', all.filter((n) => n !== '@authority'), '@authority', 'a=1', body],
    ['no path', all.filter((n) => n !== '@path'), '@path', 'a=1', body],
    ['no query', all.filter((n) => n !== '@query'), '@query', 'a=1', body],
    ['no query where there is none', all.filter((n) => n !== '@query'), undefined, '', body],
    ['no digest', all.filter((n) => n !== 'content-digest'), 'content-digest', 'a=1', body],
    [
      'no digest of chunks',
      all.filter((n) => n !== 'content-digest'),
      'content-digest',
      '',
      { 'transfer-encoding': 'chunked' },
    ],
    ['no digest where there is no body', all.filter((n) => n !== 'content-digest'), undefined, 'a=1', {}],
    [
      'no digest of a body of nothing',
      all.filter((n) => n !== 'content-digest'),
      undefined,
      '',
      { 'content-length': '0' },
    ],
    ['no header of its own', all.filter((n) => n !== 'x-tenant'), 'x-tenant', 'a=1', body],
    ['the URI instead', ['@method', '@target-uri', 'content-digest', 'x-tenant'], undefined, 'a=1', body],
    [
      'the target instead',
      ['@method', '@authority', '@request-target', 'content-digest', 'x-tenant'],
      undefined,
      'a=1',
      body,
    ],
    [
      'the target, which says no host',
      ['@method', '@request-target', 'content-digest', 'x-tenant'],
      '@authority',
      'a=1',
      body,
    ],
  ];
  for (const [name, covered, misses, query, headers] of cases) {
    it(name, () => {
      const { request } = policyContext({ query, headers: { ...headers } });
      assert.equal(
        uncovered(
          required,
          covered.map((n) => component(n)),
          request,
        ),
        misses,
      );
    });
  }

  it('a part of a component is not the component', () => {
    const { request } = policyContext();
    const part = component('@method', new Map([['req', 'x']]));
    assert.equal(uncovered(['@method'], [part], request), '@method');
  });

  it('an empty query is one', () => {
    const { request } = policyContext({ target: '/orders/1?' });
    assert.equal(uncovered(['@query'], [], request), '@query');
  });

  it('a body need not be announced in HTTP/2', () => {
    const { request } = policyContext();
    assert.equal(bodyOf(request), 'none');
    assert.equal(bodyOf({ ...request, httpVersion: '2' }), 'unknown');
  });
});

describe('a covered header that Connection names', () => {
  const cases: readonly [connection: readonly string[], name: string | undefined][] = [
    [['close'], undefined],
    [['close, X-Tenant'], 'x-tenant'],
    [['keep-alive', 'x-tenant ,'], 'x-tenant'],
    [['x-tenant-id'], undefined],
    [[], undefined],
  ];
  for (const [connection, name] of cases) {
    it(JSON.stringify(connection), () => {
      const headers = new HeaderList(connection.flatMap((value) => ['Connection', value]));
      assert.equal(dropped([component('@method'), component('x-tenant')], headers), name);
    });
  }
});

describe('a digest', () => {
  const SHA256 = 'sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:';
  const read = (...values: readonly string[]) =>
    readContentDigest(new HeaderList(values.flatMap((value) => ['Content-Digest', value])), sf);
  const refused: readonly [name: string, values: readonly string[]][] = [
    ['that is not there', []],
    ['of no form', ['sha-256=abc']],
    ['of deprecated kinds alone', ['md5=:XrY7u+Ae7tCTyyK7j1rNww==:, sha=:qvTGHdzF6KLavt4PO0gs2a6pQ00=:']],
    ['that is no bytes', ['sha-256="LPJNul"']],
    ['that is a list', ['sha-256=(:AAAA:)']],
    ['that is there twice', [SHA256, SHA256]],
  ];
  for (const [name, values] of refused) {
    it(`${name} is refused`, () => assert.equal(typeof read(...values), 'string'));
  }

  it('fits its body and no other', () => {
    const digests = read(SHA256);
    assert.ok(typeof digests === 'object');
    assert.equal(hasDigests(Buffer.from('hello '), digests), false);
    assert.equal(hasDigests(Buffer.alloc(0), digests), false);
    assert.equal(hasDigests(Buffer.from('hello'), digests), true);
  });

  it('of two kinds has to fit in both', () => {
    const sha512 = 'sha-512=:AAAA:';
    const digests = read(`${SHA256}, ${sha512}, unixsum=:AAAA:`);
    assert.ok(typeof digests === 'object');
    assert.equal(digests.digests.length, 2);
    assert.equal(hasDigests(Buffer.from('hello'), digests), false);
  });
});

describe('a signature is fresh', () => {
  const rules = { maxAgeMs: 300_000, toleranceMs: 30_000 };
  const cases: readonly [name: string, created: number, expires: number | undefined, isFresh: boolean][] = [
    ['now', 1000, undefined, true],
    ['a little ahead', 1030, undefined, true],
    ['but not further ahead', 1031, undefined, false],
    ['almost too old', 671, undefined, true],
    ['but not too old', 670, undefined, false],
    ['that expires now, within the tolerance', 1000, 1000, true],
    ['that expired within the tolerance', 900, 971, true],
    ['but not one that expired before', 900, 970, false],
    ['whatever it says of its end, not when too old', 670, 9_999_999, false],
  ];
  for (const [name, created, expires, isFresh] of cases) {
    it(name, () => {
      const fault = freshnessFault({ created, expires }, rules, 1_000_000);
      assert.equal(fault === undefined, isFresh, fault);
    });
  }
});
