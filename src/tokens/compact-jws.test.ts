import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compact, mint, tokenKey } from '../../test/fixtures/tokens.ts';
import { mediaType, readClaims, readCompactJws } from './compact-jws.ts';

const key = tokenKey('EdDSA');
const sound = mint(key, { sub: 'ann' });
const [header, payload, signature] = sound.split('.');
const signed = (head: string, body = '{"sub":"ann"}') => compact(head, body, () => new Uint8Array(64));
const b64 = (bytes: string | Uint8Array) => Buffer.from(bytes).toString('base64url');

/** A last character whose bits behind the last byte are not all zero. */
function withTrailingBits(part: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  assert.notEqual(part.length % 4, 0, 'this part has no bits to spare');
  return part.slice(0, -1) + alphabet[alphabet.indexOf(part.slice(-1)) + 1];
}

describe('a signed token is not read when', () => {
  const table: readonly (readonly [name: string, token: string, fault: RegExp])[] = [
    ['it is empty', '', /parts/],
    ['it has two parts', `${header}.${payload}`, /parts/],
    ['it has four parts', `${sound}.x`, /parts/],
    ['it has five parts, like an encrypted one', 'a.b.c.d.e', /parts/],
    ['it has no signature', `${header}.${payload}.`, /not signed/],
    ['it has no header', `.${payload}.${signature}`, /not signed/],
    ['its signature is padded', `${sound}==`, /base64url/],
    ['its header is padded', `${header}=.${payload}.${signature}`, /base64url/],
    ['it has white space inside', `${header}.${payload} .${signature}`, /base64url/],
    ['it has a line end', `${sound}\n`, /base64url/],
    ['it is standard base64', `${header}.${payload}.${'+/'.repeat(43)}`, /base64url/],
    ['it has a character of no alphabet', `${header}.${payload}?.${signature}`, /base64url/],
    ['a part has a length that no bytes have', `${header}.AAAAA.${signature}`, /base64url/],
    [
      'bits are left behind its signature',
      `${header}.${payload}.${withTrailingBits(signature)}`,
      /base64url/,
    ],
    [
      'bits are left behind its payload',
      `${header}.${withTrailingBits(b64('{"a":12}'))}.${signature}`,
      /base64url/,
    ],
    ['its header is no JSON', signed('{'), /syntax/],
    ['its header is no object', signed('["alg"]'), /no JSON object/],
    ['its header is null', signed('null'), /no JSON object/],
    ['its header is no UTF-8', `${b64(Buffer.from([0xff, 0xfe]))}.${payload}.${signature}`, /UTF-8/],
    ['its header begins with a mark', signed('\ufeff{"alg":"EdDSA"}'), /syntax/],
    ['its header names a member twice', signed('{"alg":"none","alg":"EdDSA"}'), /duplicate-key/],
    ['its header names a prototype', signed('{"alg":"EdDSA","__proto__":{}}'), /proto-key/],
    ['its header is deep', signed(`{"alg":"EdDSA","x":${'['.repeat(9)}${']'.repeat(9)}}`), /depth/],
    ['it names no algorithm', signed('{}'), /algorithm/],
    ['its algorithm is no text', signed('{"alg":["EdDSA"]}'), /algorithm/],
    ['an extension is critical', signed('{"alg":"EdDSA","crit":["exp"],"exp":1}'), /critical/],
    ['nothing is critical, but said to be', signed('{"alg":"EdDSA","crit":[]}'), /critical/],
    ['its payload is not encoded', signed('{"alg":"EdDSA","b64":false,"crit":["b64"]}'), /critical/],
    ['it speaks of its encoding', signed('{"alg":"EdDSA","b64":true}'), /critical/],
    ['its key id is no text', signed('{"alg":"EdDSA","kid":1}'), /key id/],
    ['its key id is a document', signed(`{"alg":"EdDSA","kid":"${'k'.repeat(257)}"}`), /key id/],
    ['its type is no text', signed('{"alg":"EdDSA","typ":1}'), /type/],
  ];
  for (const [name, token, fault] of table) {
    it(name, () => {
      const jws = readCompactJws(token);
      assert.ok('fault' in jws, 'it was read');
      assert.match(jws.fault, fault);
    });
  }
});

describe('claims are not read when', () => {
  const claims: readonly (readonly [name: string, payload: string, fault: RegExp])[] = [
    ['there are none', '', /syntax/],
    ['they are a list', '[]', /no JSON object/],
    ['one is named twice', '{"sub":"ann","sub":"root"}', /duplicate-key/],
    ['one is named twice inside', '{"a":{"b":1,"b":2}}', /duplicate-key/],
    ['one is the prototype', '{"__proto__":{"sub":"root"}}', /proto-key/],
    ['a number is beyond all', '{"exp":1e999}', /number/],
  ];
  for (const [name, body, fault] of claims) {
    it(name, () => {
      const jws = readCompactJws(signed('{"alg":"EdDSA"}', body));
      assert.ok('alg' in jws);
      const read = readClaims(jws);
      assert.ok(typeof read === 'string', 'they were read');
      assert.match(read, fault);
    });
  }
});

describe('a signed token', () => {
  it('is read whole', () => {
    const jws = readCompactJws(
      mint(key, { sub: 'ann', fault: 'none' }, { typ: 'application/AT+JWT', x5u: 'u' }),
    );
    assert.ok('alg' in jws);
    assert.deepEqual([jws.alg, jws.kid, jws.typ, jws.header.x5u], ['EdDSA', 'EdDSA-1', 'at+jwt', 'u']);
    assert.deepEqual(readClaims(jws), { sub: 'ann', fault: 'none' });
  });

  it('need name neither a key nor a type', () => {
    const jws = readCompactJws(signed('{"alg":"EdDSA"}'));
    assert.ok('alg' in jws);
    assert.deepEqual([jws.kid, jws.typ], [undefined, undefined]);
  });

  it('is read in time that grows with its length', () => {
    const started = performance.now();
    for (const filler of ['A', '.', 'A.', '=', '%']) readCompactJws(filler.repeat(16_384 / filler.length));
    assert.ok(performance.now() - started < 500);
  });
});

describe('types of media', () => {
  for (const [written, read] of [
    ['JWT', 'jwt'],
    ['application/at+jwt', 'at+jwt'],
    ['Application/At+Jwt', 'at+jwt'],
    ['application/a/b', 'application/a/b'],
    ['text/plain', 'text/plain'],
  ]) {
    it(`${written} is ${read}`, () => assert.equal(mediaType(written), read));
  }
});
