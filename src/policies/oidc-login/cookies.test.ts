import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { policyContext } from '../../../test/fixtures/policy-context.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { type CookieRules, Cookies, type OwnCookies } from './cookies.ts';

const RULES: CookieRules = {
  name: '__Host-s',
  domain: undefined,
  path: '/',
  secure: true,
  sameSite: 'Lax',
  maxAgeMs: undefined,
};
const cookies = new Cookies(RULES);
const read = (...fields: string[]): OwnCookies =>
  cookies.read(new HeaderList(fields.flatMap((value) => ['Cookie', value])));
const NONE = read();

/** A session of so many characters as a browser sends it back. */
function sentBack(value: string): string {
  const fields = cookies.setSession(value, NONE) ?? assert.fail('too large');
  return fields
    .filter((_, i) => i % 2 === 1)
    .map((field) => field.split(';')[0])
    .join('; ');
}

describe('cookies of a request', () => {
  const CASES: readonly (readonly [
    name: string,
    fields: readonly string[],
    session: OwnCookies['session'],
  ])[] = [
    ['none', [], { kind: 'value', value: '' }],
    ['others', ['a=1; b=__Host-s'], { kind: 'value', value: '' }],
    ['names that only begin so', ['__Host-session=1x; x__Host-s=1x'], { kind: 'value', value: '' }],
    ['names in another case', ['__host-s=1x'], { kind: 'value', value: '' }],
    ['one', ['a=1; __Host-s=1abc; b=2'], { kind: 'value', value: 'abc' }],
    ['one without spaces', ['a=1;__Host-s=1abc;b=2'], { kind: 'value', value: 'abc' }],
    ['one in a field of its own', ['a=1', '__Host-s=1abc'], { kind: 'value', value: 'abc' }],
    ['parts in any order', ['__Host-s.1=def; __Host-s=2abc'], { kind: 'value', value: 'abcdef' }],
    ['parts that are left over', ['__Host-s=1abc; __Host-s.1=def'], { kind: 'value', value: 'abc' }],
    ['a sign-in under way', ['__Host-s.t1=x'], { kind: 'value', value: '' }],
    ['a part missing', ['__Host-s=2abc'], { kind: 'broken' }],
    ['the first part missing', ['__Host-s.1=abc'], { kind: 'broken' }],
    ['too many parts', ['__Host-s=6abc'], { kind: 'broken' }],
    ['no number of parts', ['__Host-s=abc'], { kind: 'broken' }],
    ['nothing in it', ['__Host-s='], { kind: 'broken' }],
    ['two', ['__Host-s=1abc; __Host-s=1def'], { kind: 'repeated' }],
    ['two in two fields', ['__Host-s=1abc', '__Host-s=1abc'], { kind: 'repeated' }],
    ['a part twice', ['__Host-s=2a; __Host-s.1=b; __Host-s.1=c'], { kind: 'repeated' }],
  ];
  for (const [name, fields, session] of CASES)
    it(`${name}: ${session.kind}`, () => assert.deepEqual(read(...fields).session, session));

  it('are all named, once each, so that none goes on', () => {
    const { names } = read('__Host-s=2a; x=1; __Host-s.1=b; __Host-s.t9=c; __Host-s.other=d; __Host-s=2a');
    assert.deepEqual(names, ['__Host-s', '__Host-s.1', '__Host-s.t9', '__Host-s.other']);
  });
});

describe('a session', () => {
  for (const length of [1, 3799, 3800, 7599, 7600, 18_999])
    it(`of ${length} characters comes back whole`, () => {
      const value = `${'x'.repeat(length - 1)}y`;
      const sent = sentBack(value);
      assert.deepEqual(read(sent).session, { kind: 'value', value });
      for (const pair of sent.split('; ')) assert.ok(pair.length < 4096, 'browsers take no longer one');
    });

  it('that fits no five cookies is not written', () => {
    assert.equal(cookies.setSession('x'.repeat(19_000), NONE), undefined);
  });

  it('takes away parts of a longer one before it', () => {
    const fields = cookies.setSession('x', read('__Host-s=3a; __Host-s.1=b; __Host-s.2=c; __Host-s.t1=d'));
    assert.deepEqual(
      fields?.filter((_, i) => i % 2 === 1).map((field) => field.slice(0, 25)),
      ['__Host-s.1=; Path=/; Max-A', '__Host-s.2=; Path=/; Max-A', '__Host-s=1x; Path=/; Secur'].map((text) =>
        text.slice(0, 25),
      ),
    );
  });

  it('is taken away in all its parts, and sign-ins are not', () => {
    const cleared = cookies.clearSession(read('__Host-s.1=b; __Host-s=2a; __Host-s.t1=d; a=1'));
    assert.deepEqual(
      cleared.filter((_, i) => i % 2 === 1).map((field) => field.split('=')[0]),
      ['__Host-s.1', '__Host-s'],
    );
  });

  const WRITTEN: readonly (readonly [name: string, rules: Partial<CookieRules>, written: string])[] = [
    ['by default', {}, '__Host-s=1v; Path=/; Secure; HttpOnly; SameSite=Lax'],
    ['without TLS', { name: 's', secure: false }, 's=1v; Path=/; HttpOnly; SameSite=Lax'],
    [
      'for a domain and a path',
      { name: '__Secure-s', domain: 'app.test', path: '/app' },
      '__Secure-s=1v; Path=/app; Domain=app.test; Secure; HttpOnly; SameSite=Lax',
    ],
    [
      'for a day',
      { maxAgeMs: 86_400_000 },
      '__Host-s=1v; Path=/; Max-Age=86400; Secure; HttpOnly; SameSite=Lax',
    ],
    ['strictly', { sameSite: 'Strict' }, '__Host-s=1v; Path=/; Secure; HttpOnly; SameSite=Strict'],
  ];
  for (const [name, rules, written] of WRITTEN)
    it(`is written ${name}`, () => {
      assert.deepEqual(new Cookies({ ...RULES, ...rules }).setSession('v', NONE), ['Set-Cookie', written]);
    });
});

describe('sign-ins under way', () => {
  it('come back lax even where the session is strict, and for ten minutes', () => {
    const [, written] = new Cookies({ ...RULES, sameSite: 'Strict' }).addTransaction('1', 'v', NONE);
    assert.equal(written, '__Host-s.t1=v; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax');
  });

  it('are at most four: the oldest are given up', () => {
    const id = (n: number) => `${n}`.padStart(15, '0');
    const before = read([3, 1, 5, 2, 4].map((n) => `__Host-s.t${id(n)}=x`).join('; '));
    const fields = cookies.addTransaction(id(6), 'v', before).filter((_, i) => i % 2 === 1);
    assert.deepEqual(
      fields.map((field) => field.split('; ')[0]),
      [`__Host-s.t${id(1)}=`, `__Host-s.t${id(2)}=`, `__Host-s.t${id(6)}=v`],
    );
  });

  it('of names that were not made here are never written back', () => {
    const before = read(
      '__Host-s.t=a; __Host-s.t"x"=b; __Host-s.tABCDEFGHIJKLMNO=c; __Host-s.t0=d; __Host-s.t1 2=e',
    );
    assert.equal(before.transactions.size, 0);
    assert.equal(before.names.length, 5);
  });
});

describe('a flood of cookies', () => {
  const flood = read(
    Array.from({ length: 1500 }, (_, i) => `__Host-s.t${`${i}`.padStart(15, '0')}=x`).join('; '),
  );

  it('is no session and no sign-in, and costs one edit and no field', () => {
    assert.deepEqual([flood.session.kind, flood.transactions.size], ['repeated', 0]);
    const edits: string[] = [];
    const journal = {
      removeRequestHeader: (name: string) => void edits.push(name),
      removeRequestCookie: () => assert.fail('one by one'),
    };
    cookies.hide(flood, { ...policyContext().edits, ...journal });
    assert.deepEqual(edits, ['cookie']);
    assert.equal(cookies.addTransaction('1'.padStart(15, '0'), 'v', flood).length, 2);
  });
});
