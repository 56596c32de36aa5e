import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { policyContext } from '../../test/fixtures/policy-context.ts';
import { REPEATED_CREDENTIAL } from '../identity/index.ts';
import { type OtherPlaces, TokenPlaces } from './token-places.ts';

const ALL: OtherPlaces = { header: 'x-token', cookie: 'token', query: 'access_token' };

interface Case {
  readonly name: string;
  readonly headers?: readonly string[];
  readonly query?: string;
  readonly places?: OtherPlaces;
  /** Place and token, or the fault. */
  readonly found: readonly [place: string, token: string] | string | undefined;
}

const CASES: readonly Case[] = [
  { name: 'nothing', found: undefined },
  { name: 'another scheme', headers: ['Authorization', 'Basic YTpi'], found: undefined },
  { name: 'a token', headers: ['Authorization', 'Bearer a.b.c'], found: ['authorization', 'a.b.c'] },
  { name: 'a header', headers: ['X-Token', 'a.b.c'], found: ['header', 'a.b.c'] },
  { name: 'a cookie', headers: ['Cookie', 'a=1; token=a.b.c'], found: ['cookie', 'a.b.c'] },
  { name: 'a parameter', query: 'x=1&access_token=a.b.c', found: ['query', 'a.b.c'] },
  {
    name: 'empty ones',
    headers: ['X-Token', '', 'Cookie', 'token='],
    query: 'access_token=',
    found: undefined,
  },
  {
    name: 'a cookie beside another scheme',
    headers: ['Authorization', 'Basic YTpi', 'Cookie', 'token=a'],
    found: ['cookie', 'a'],
  },
  {
    name: 'places nobody asked for',
    headers: ['X-Token', 'a', 'Cookie', 'token=a'],
    query: 'access_token=a',
    places: {},
    found: undefined,
  },
  { name: 'a header twice', headers: ['X-Token', 'a', 'x-token', 'a'], found: REPEATED_CREDENTIAL },
  { name: 'a cookie twice', headers: ['Cookie', 'token=a; token=a'], found: REPEATED_CREDENTIAL },
  {
    name: 'a cookie in two fields',
    headers: ['Cookie', 'token=a', 'Cookie', 'token=b'],
    found: REPEATED_CREDENTIAL,
  },
  { name: 'a parameter twice', query: 'access_token=a&access%5Ftoken=b', found: REPEATED_CREDENTIAL },
  { name: 'two places', headers: ['Authorization', 'Bearer a', 'X-Token', 'a'], found: REPEATED_CREDENTIAL },
  {
    name: 'Authorization twice',
    headers: ['Authorization', 'Bearer a', 'authorization', 'Bearer a'],
    found: REPEATED_CREDENTIAL,
  },
  {
    name: 'a malformed Authorization beside a cookie',
    headers: ['Authorization', 'Bearer', 'Cookie', 'token=a'],
    found: 'the value sent is not made of the characters of a token',
  },
];

describe('the token of a request with', () => {
  for (const { name, headers = [], query = '', places = ALL, found } of CASES) {
    it(name, () => {
      const read = new TokenPlaces(['bearer'], places).read(policyContext({ headers, query }).request);
      assert.deepEqual(typeof read === 'object' ? [read.place, read.token] : read, found);
    });
  }
});

describe('a token is kept from the upstream', () => {
  const places = new TokenPlaces(['bearer'], ALL);
  for (const [place, edit] of [
    ['authorization', ['removeRequestHeader', 'authorization']],
    ['header', ['removeRequestHeader', 'x-token']],
    ['cookie', ['removeRequestCookie', 'token']],
    ['query', ['removeQueryParameter', 'access_token']],
  ] as const) {
    it(`where it was in ${place}`, () => {
      const c = policyContext();
      places.hide(c, place);
      assert.deepEqual(c.recorded, [edit]);
    });
  }
});
