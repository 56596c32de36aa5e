import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { policyContext } from '../../../test/fixtures/policy-context.ts';
import { isNavigation, isOwn } from './negotiation.ts';

type Headers = Readonly<Record<string, string>> | readonly string[];
const HTML = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
const PAGE = { ...HTML, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
const requestOf = (headers: Headers, method = 'GET') => policyContext({ headers, method }).request;

const REQUESTS: readonly (readonly [name: string, headers: Headers, navigates: boolean, method?: string])[] =
  [
    ['a script', { accept: '*/*', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }, false],
    ['a script that takes HTML', { ...HTML, 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }, false],
    ['an old script', { ...HTML, 'x-requested-with': 'XMLHttpRequest' }, false],
    ['an image', { accept: 'image/avif,*/*', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }, false],
    ['a frame', { ...PAGE, 'sec-fetch-dest': 'iframe' }, false],
    ['a prefetch', { ...PAGE, 'sec-purpose': 'prefetch' }, false],
    ['an old prefetch', { ...PAGE, purpose: 'prefetch' }, false],
    ['a program', { accept: 'application/json' }, false],
    ['curl', { accept: '*/*' }, false],
    ['nothing said', {}, false],
    ['a type that only begins so', { accept: 'text/html5, x/text/html' }, false],
    ['a form that is posted', PAGE, false, 'POST'],
    ['the head of a page', PAGE, false, 'HEAD'],
    ['a WebSocket', { 'sec-fetch-mode': 'websocket', upgrade: 'websocket' }, false],
    ['a page', PAGE, true],
    ['a page in an old browser', HTML, true],
    ['a page in capitals', { accept: 'Text/HTML;level=1' }, true],
    ['a page whose type comes last', { accept: 'application/xml, text/html' }, true],
  ];

describe('who is sent to sign in', () => {
  for (const [name, headers, navigates, method] of REQUESTS)
    it(`${navigates ? 'is' : 'is not'} ${name}`, () =>
      assert.equal(isNavigation(requestOf(headers, method)), navigates));
});

const ASKED: readonly (readonly [name: string, headers: Headers, own: boolean])[] = [
  ['another site', { 'sec-fetch-site': 'cross-site' }, false],
  ['a neighbour', { 'sec-fetch-site': 'same-site' }, false],
  [
    'another site, whatever else it says',
    { 'sec-fetch-site': 'cross-site', origin: 'https://app.test' },
    false,
  ],
  ['two sites at once', ['Sec-Fetch-Site', 'same-origin', 'Sec-Fetch-Site', 'cross-site'], false],
  ['another origin', { origin: 'https://evil.test' }, false],
  ['an origin that hides', { origin: 'null', referer: 'https://app.test/' }, false],
  ['another scheme', { origin: 'http://app.test' }, false],
  ['a page elsewhere', { referer: 'https://app.test.evil.test/' }, false],
  ['a page that is none', { referer: 'app.test' }, false],
  ['nobody', {}, false],
  ['this origin', { 'sec-fetch-site': 'same-origin' }, true],
  ['the user', { 'sec-fetch-site': 'none' }, true],
  ['this origin, in an old browser', { origin: 'https://app.test' }, true],
  ['a page of it, in an older one', { referer: 'https://app.test/orders' }, true],
];

describe('who may ask to sign out', () => {
  for (const [name, headers, own] of ASKED)
    it(`${own ? 'is' : 'is not'} ${name}`, () =>
      assert.equal(isOwn(requestOf(headers), 'https://app.test'), own));
});
