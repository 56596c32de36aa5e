import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HeaderList } from '../../lib/header-list.ts';
import { type Authorization, readAuthorization } from './authorization.ts';

const read = (...values: readonly string[]) =>
  readAuthorization(new HeaderList(values.flatMap((value) => ['Authorization', value])));

describe('an Authorization field is refused', () => {
  const malformed = [
    '',
    ' ',
    ' Basic abc',
    'Basic\tabc',
    'Basic \tabc',
    'Basic: abc',
    'Basic,Bearer',
    '"Basic" abc',
    'Basic abc\u0000',
    'Basic caf\u00e9',
    'Bas\u0131c abc',
    'Basic abc ',
    `${'a'.repeat(65)} abc`,
  ];
  for (const value of malformed) it(JSON.stringify(value), () => assert.equal(read(value), 'malformed'));

  it('when there are two, whatever they say', () => {
    assert.equal(read('Basic abc', 'Basic abc'), 'repeated');
    assert.equal(read('', ''), 'repeated');
    assert.equal(
      readAuthorization(new HeaderList(['AUTHORIZATION', 'Basic abc', 'authorization', 'Bearer x'])),
      'repeated',
    );
  });
});

describe('an Authorization field is read', () => {
  const cases: readonly [value: string, read: Authorization][] = [
    ['Basic abc', { scheme: 'basic', credentials: 'abc' }],
    ['BASIC   abc', { scheme: 'basic', credentials: 'abc' }],
    ['Basic', { scheme: 'basic', credentials: '' }],
    ['Digest a="b c", d=e', { scheme: 'digest', credentials: 'a="b c", d=e' }],
    ['Basic abc, Bearer def', { scheme: 'basic', credentials: 'abc, Bearer def' }],
  ];
  for (const [value, expected] of cases) it(value, () => assert.deepEqual(read(value), expected));

  it('or not there', () => {
    assert.equal(read(), undefined);
    assert.equal(readAuthorization(new HeaderList(['Proxy-Authorization', 'Basic abc'])), undefined);
  });

  it('in time that grows with its length only', () => {
    const long = `Basic ${'a '.repeat(50_000)}`;
    const startMs = performance.now();
    assert.equal(read(long), 'malformed');
    assert.equal(read(`${long}\u0000`), 'malformed');
    assert.ok(performance.now() - startMs < 200);
  });
});
