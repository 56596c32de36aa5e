import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CLAIM_PATTERN, claimAt, parseClaimPath } from './claim-path.ts';

const CLAIMS = JSON.parse(`{
  "sub": "ann",
  "none": null,
  "list": ["x"],
  "a.b": "whole",
  "a": { "b": "nested", "c": { "d": 1 } },
  "a/b~": { "": 2 },
  "https://example.com/roles": ["r"],
  "__proto__": { "polluted": true }
}`);

describe('a claim', () => {
  const cases: [text: string, value: unknown][] = [
    ['sub', 'ann'],
    ['none', undefined],
    ['absent', undefined],
    ['a.b', 'whole'],
    ['/a/b', 'nested'],
    ['a.c.d', 1],
    ['/a/c/d', 1],
    ['a.c.x', undefined],
    ['sub.length', undefined],
    ['/a~1b~0', { '': 2 }],
    ['https://example.com/roles', ['r']],
    ['constructor', undefined],
    ['toString.name', undefined],
    ['/a/constructor/name', undefined],
    ['polluted', undefined],
  ];
  for (const [text, value] of cases) {
    it(text, () => assert.deepEqual(claimAt(CLAIMS, parseClaimPath(text)), value));
  }
});

describe('the form of a claim’s place', () => {
  const form = new RegExp(CLAIM_PATTERN, 'u');
  for (const text of ['a', 'a.b', 'https://example.com/x', '/a', '/a/b~0~1'])
    it(`takes ${text}`, () => assert.match(text, form));
  for (const text of ['', '/', '/a//b', '/a~2', 'a\nb', `a${'b'.repeat(200)}`])
    it(`refuses ${JSON.stringify(text).slice(0, 20)}`, () => assert.doesNotMatch(text, form));
});
