import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type AlternativeNames, readAlternativeNames } from './alternative-names.ts';

const names = (over: Partial<AlternativeNames> = {}): AlternativeNames => ({
  dns: [],
  uris: [],
  emails: [],
  ...over,
});

describe('readAlternativeNames', () => {
  const undecidable = [
    'DNS',
    'DNS:',
    'a.example',
    'DNS:a.example,',
    'DNS:a.example, ',
    ', DNS:a.example',
    'DNS:a.example,DNS:b.example',
    'DNS:a.example, , DNS:b.example',
    'DNS:"a.example',
    'DNS:"a.example"x',
    'DNS:a"b"',
    'DNS:"a\\x"',
    "DNS:a'b",
    'DNS:a.example, URI:"x\\u0000:y"',
    // CVE-2021-44532: one name that would have looked like two.
    'DNS:"a.example\\u002c DNS:admin.example"',
    'URI:"http://a/\\u0000"',
    'DNS:"admin.example\\u0000.evil.example"',
    'DNS:a example',
    'DNS:a..b',
    'DNS:.a',
    'DNS:a.',
    'DNS:a*.example',
    'DNS:*.*.example',
    'DNS:*',
    'DNS:*.',
    'DNS:Ã¤.example',
    'URI:no scheme',
    'URI:/path',
    'URI:spiffe:',
    'email:orders',
    'email:a@b@c',
    'email:a b@c.example',
    'email:@example',
    `DNS:${'a'.repeat(70)}.example`,
    new Array(101).fill('DNS:a.example').join(', '),
    `URI:x:${'y'.repeat(20_000)}`,
  ];
  for (const printed of undecidable) {
    it(`finds nothing to rely on in ${printed.slice(0, 60)}`, () =>
      assert.equal(readAlternativeNames(printed), undefined));
  }

  const read: readonly (readonly [printed: string, names: AlternativeNames])[] = [
    ['', names()],
    ['DNS:a.example', names({ dns: ['a.example'] })],
    ['DNS:A.Example, DNS:a.example, DNS:b_1.example', names({ dns: ['a.example', 'b_1.example'] })],
    ['DNS:*.example', names()],
    ['DNS:localhost', names({ dns: ['localhost'] })],
    [
      'DNS:a.example, URI:spiffe://x/y, email:a.b+c@d.example, IP Address:192.0.2.1',
      names({ dns: ['a.example'], uris: ['spiffe://x/y'], emails: ['a.b+c@d.example'] }),
    ],
    ['URI:"https://a.example/x\\u002cy"', names({ uris: ['https://a.example/x,y'] })],
    [
      'othername:UPN:user@Ã©, DirName:"O=x\\u002cCN=a\\\\\\u002cb", Registered ID:1.2.3, X400Name:<unsupported>',
      names(),
    ],
    ['DirName:"CN=x\\u002c DNS:admin.example", DNS:a.example', names({ dns: ['a.example'] })],
  ];
  for (const [printed, expected] of read) {
    it(`reads ${printed.slice(0, 60)}`, () => assert.deepEqual(readAlternativeNames(printed), expected));
  }

  it('never throws, and finds no name that is none', () => {
    const piece = fc.constantFrom(
      'DNS:',
      'URI:',
      'email:',
      ', ',
      '"',
      '\\u0000',
      '\\',
      'a',
      '.',
      '@',
      ',',
      'x:y',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const found = readAlternativeNames(pieces.join(''));
        for (const host of found?.dns ?? []) assert.match(host, /^[a-z0-9_.-]+$/);
        for (const uri of found?.uris ?? []) assert.match(uri, /^[!-~]+$/);
        for (const email of found?.emails ?? []) assert.match(email, /^[!-?A-~]+@[!-?A-~]+$/);
      }),
      { numRuns: 5000 },
    );
  });
});
