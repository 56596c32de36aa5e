import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as sf from 'structured-headers';
import { REQUEST, RESPONSE_VECTOR, VECTORS } from '../../../test/fixtures/rfc-9421.ts';
import { readSignatureKey } from '../../identity/index.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { readSignature } from './presented.ts';
import { type SignedRequest, signatureBase } from './signature-base.ts';

const ANY = { label: undefined, tag: undefined };

const request = (more: Partial<SignedRequest> = {}): SignedRequest => ({
  method: 'GET',
  scheme: 'https',
  authority: 'www.Example.com',
  target: '/path?param=value',
  headers: new HeaderList(),
  ...more,
});

/** The line of a component in a base, or why there is none. */
function lineOf(component: string, more: Partial<SignedRequest> = {}): string {
  const presented = readSignature(
    new HeaderList([
      ...['Signature-Input', `s=(${component});created=1;keyid="k"`],
      ...['Signature', 's=:AAAA:'],
    ]),
    ANY,
    sf,
  );
  assert.ok(typeof presented === 'object', String(presented));
  const base = signatureBase(presented, request(more));
  return typeof base === 'string' ? base.split('\n')[0] : `refused: ${base.fault}`;
}

describe('RFC 9421, Appendix B.2', () => {
  for (const { name, keyId, verifier, input, signature, base } of VECTORS) {
    it(name, () => {
      const headers = new HeaderList(Object.entries(REQUEST.headers).flat());
      headers.append('Signature-Input', input);
      headers.append('Signature', signature);
      const presented = readSignature(headers, ANY, sf);
      assert.ok(typeof presented === 'object', String(presented));
      assert.equal(presented.keyId, keyId);
      const signed = signatureBase(presented, { ...REQUEST, headers });
      assert.equal(signed, base);
      const key = readSignatureKey(verifier);
      assert.equal(key.verifies(Buffer.from(`${base} `), presented.signature), false);
      assert.equal(key.verifies(Buffer.from(base), presented.signature), true);
    });
  }

  it('B.2.4 over a response, ecdsa-p256-sha256', () => {
    const { verifier, signature, base } = RESPONSE_VECTOR;
    const key = readSignatureKey(verifier);
    assert.equal(key.algorithm, 'ecdsa-p256-sha256');
    assert.equal(key.verifies(Buffer.from(base), Buffer.from(signature, 'base64')), true);
  });
});

describe('a component is refused', () => {
  const headers = new HeaderList(['Date', 'today', 'X-Odd', 'caf\u00e9']);
  const cases: readonly [name: string, component: string, more?: Partial<SignedRequest>][] = [
    ['that is of a response', '"@status"'],
    ['that nobody knows', '"@speciality-param"'],
    ['that is the base itself', '"@signature-params"'],
    ['whose header is not there', '"date"'],
    ['whose name is in upper case', '"Date"', { headers }],
    ['whose name is none', '"da te"', { headers }],
    ['whose name would end the line', '"date: x"', { headers }],
    ['whose name is empty', '""'],
    ['whose value is not ASCII', '"x-odd"', { headers }],
    ['that is serialised strictly', '"date";sf', { headers }],
    ['that is one member', '"date";key="a"', { headers }],
    ['that is binary', '"date";bs', { headers }],
    ['that is of another message', '"@method";req'],
    ['that is in the trailers', '"date";tr', { headers }],
    ['that has a parameter nobody knows', '"@path";x'],
    ['that is a parameter without a name', '"@query-param"'],
    ['that is a parameter whose name is no string', '"@query-param";name=param'],
    ['that is a parameter with another parameter', '"@query-param";name="param";req'],
    ['that is a parameter that is not there', '"@query-param";name="other"'],
    ['that is a parameter that is there twice', '"@query-param";name="a"', { target: '/?a=1&%61=2' }],
    ['that is a parameter beyond UTF-8', '"@query-param";name="a"', { target: '/?a=%FF' }],
    ['that is a parameter of a name beyond UTF-8', '"@query-param";name="%FF"', { target: '/?%FF=a' }],
    [
      'that is a parameter of a name like one beyond UTF-8',
      '"@query-param";name="%EF%BF%BD"',
      { target: '/?%FF=a' },
    ],
    ['that is a parameter in another spelling', '"@query-param";name="%61"', { target: '/?a=1' }],
    ['that is a parameter in half a spelling', '"@query-param";name="%6"', { target: '/?%256=1' }],
    ['that is a path where there is none', '"@path"', { target: '*' }],
    ['that is a URI where there is none', '"@target-uri"', { target: '*' }],
  ];
  for (const [name, component, more] of cases) {
    it(name, () => assert.match(lineOf(component, more), /^refused: /));
  }
});

describe('a component is signed', () => {
  const headers = new HeaderList([
    ...['X-OWS-Header', 'Leading and trailing whitespace.'],
    ...['Cache-Control', 'max-age=60'],
    ...['X-Empty', ''],
    ...['cache-control', 'must-revalidate'],
  ]);
  const odd =
    "/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something&t=%7e!*()'";
  // RFC 9421 §2.1 and §2.2, where the RFC has an example.
  const cases: readonly [component: string, line: string, more?: Partial<SignedRequest>][] = [
    ['"@method"', '"@method": PATCH', { method: 'PATCH' }],
    ['"@target-uri"', '"@target-uri": https://www.example.com/path?param=value'],
    ['"@authority"', '"@authority": www.example.com'],
    ['"@authority"', '"@authority": www.example.com', { authority: 'www.example.com:443' }],
    ['"@authority"', '"@authority": www.example.com:80', { authority: 'www.example.com:80' }],
    ['"@authority"', '"@authority": a', { authority: 'A:80', scheme: 'http' }],
    ['"@authority"', '"@authority": [::1]:8080', { authority: '[::1]:8080' }],
    ['"@scheme"', '"@scheme": http', { scheme: 'http' }],
    ['"@request-target"', '"@request-target": /path?param=value'],
    ['"@request-target"', '"@request-target": *', { target: '*' }],
    ['"@path"', '"@path": /path'],
    ['"@path"', '"@path": /', { target: '/' }],
    ['"@path"', '"@path": /a//b/%7e/..', { target: '/a//b/%7e/..?' }],
    ['"@query"', '"@query": ?param=value'],
    ['"@query"', '"@query": ?', { target: '/path' }],
    ['"@query"', '"@query": ?', { target: '/path?' }],
    ['"@query"', '"@query": ?a=%zz&?b', { target: '/path?a=%zz&?b' }],
    [
      '"@query-param";name="var"',
      '"@query-param";name="var": this%20is%20a%20big%0Amultiline%20value',
      { target: odd },
    ],
    ['"@query-param";name="bar"', '"@query-param";name="bar": with%20plus%20whitespace', { target: odd }],
    [
      '"@query-param";name="fa%C3%A7ade%22%3A%20"',
      '"@query-param";name="fa%C3%A7ade%22%3A%20": something',
      { target: odd },
    ],
    ['"@query-param";name="t"', '"@query-param";name="t": %7E%21*%28%29%27', { target: odd }],
    ['"@query-param";name="qux"', '"@query-param";name="qux": ', { target: '/?qux=' }],
    ['"cache-control"', '"cache-control": max-age=60, must-revalidate', { headers }],
    ['"x-ows-header"', '"x-ows-header": Leading and trailing whitespace.', { headers }],
    ['"x-empty"', '"x-empty": ', { headers }],
  ];
  for (const [component, line, more] of cases) {
    it(line, () => assert.equal(lineOf(component, more), line));
  }
});

it('costs what it covers, not that times the query', () => {
  const names = Array.from({ length: 60 }, (_, i) => `p${i}`);
  const target = `/?${names.map((name) => `${name}=1`).join('&')}${'&!'.repeat(3700)}`;
  const component = names.map((name) => `"@query-param";name="${name}"`).join(' ');
  const millis = Array.from({ length: 5 }, () => {
    const begun = performance.now();
    assert.equal(lineOf(component, { target }), '"@query-param";name="p0": 1');
    return performance.now() - begun;
  });
  assert.ok(Math.min(...millis) < 20, `${Math.min(...millis)} ms`);
});
