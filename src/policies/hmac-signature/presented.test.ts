import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as sf from 'structured-headers';
import { HeaderList } from '../../lib/header-list.ts';
import { readSignature, type Selection } from './presented.ts';

const ANY: Selection = { label: undefined, tag: undefined };
const read = (input: string | undefined, signature: string | undefined, selection = ANY) =>
  readSignature(
    new HeaderList([
      ...(input === undefined ? [] : ['Signature-Input', input]),
      ...(signature === undefined ? [] : ['Signature', signature]),
    ]),
    selection,
    sf,
  );

const INPUT = 'sig1=("@method");created=1;keyid="k"';
const VALUE = 'sig1=:AAAA:';

describe('signatures are refused', () => {
  const many = (n: number, member: string) =>
    Array.from({ length: n }, (_, i) => `s${i}=${member}`).join(', ');
  const cases: readonly [
    name: string,
    input: string | undefined,
    value: string | undefined,
    reason: RegExp,
    selection?: Selection,
  ][] = [
    ['without a description', undefined, VALUE, /no signature is described/],
    ['without a value', INPUT, undefined, /no value/],
    ['when the value is another label’s', INPUT, 'sig2=:AAAA:', /no value/],
    ['when the value is no byte sequence', INPUT, 'sig1="AAAA"', /no value/],
    ['when the value is a list', INPUT, 'sig1=(:AAAA:)', /no value/],
    ['when the description is no dictionary', 'sig1=(', VALUE, /Signature-Input/],
    ['when the values are no dictionary', INPUT, 'sig1=:', /^Signature is/],
    ['when the description is there twice', `${INPUT}, ${INPUT}`, VALUE, /Signature-Input/],
    ['when the value is there twice', INPUT, 'sig1=:AAAA:, sig1=:BBBB:', /^Signature is/],
    ['when there are two', many(2, '("@method");created=1;keyid="k"'), many(2, ':AAAA:'), /more than one/],
    ['when there are too many', many(9, '("@method");created=1;keyid="k"'), many(9, ':AAAA:'), /too many/],
    [
      'when two have the tag',
      many(2, '("@method");created=1;keyid="k";tag="t"'),
      many(2, ':AAAA:'),
      /more than one/,
      { label: undefined, tag: 't' },
    ],
    ['that cover no list', 'sig1="@method";created=1;keyid="k"', VALUE, /no list/],
    ['that cover tokens', 'sig1=(date);created=1;keyid="k"', VALUE, /no string/],
    ['that cover a component twice', 'sig1=("a" "b" "a");created=1;keyid="k"', VALUE, /twice/],
    [
      'that cover too much',
      `sig1=(${Array.from({ length: 65 }, (_, i) => `"a${i}"`).join(' ')});created=1;keyid="k"`,
      VALUE,
      /too much/,
    ],
    ['without created', 'sig1=("a");keyid="k"', VALUE, /no created/],
    ['without a key id', 'sig1=("a");created=1', VALUE, /no keyid/],
    ['with a text for created', 'sig1=("a");created="1";keyid="k"', VALUE, /wrong type/],
    ['with a fraction for created', 'sig1=("a");created=1.5;keyid="k"', VALUE, /wrong type/],
    ['with a time before all time', 'sig1=("a");created=-1;keyid="k"', VALUE, /wrong type/],
    ['with a flag for expires', 'sig1=("a");created=1;expires;keyid="k"', VALUE, /wrong type/],
    ['with a token for a key id', 'sig1=("a");created=1;keyid=k', VALUE, /wrong type/],
    ['with bytes for a nonce', 'sig1=("a");created=1;keyid="k";nonce=:AAAA:', VALUE, /wrong type/],
    ['with a token for the algorithm', 'sig1=("a");created=1;keyid="k";alg=ed25519', VALUE, /wrong type/],
    ['with a number for a tag', 'sig1=("a");created=1;keyid="k";tag=1', VALUE, /wrong type/],
  ];
  for (const [name, input, value, reason, selection] of cases) {
    it(name, () => {
      const presented = read(input, value, selection);
      assert.ok(typeof presented === 'string', JSON.stringify(presented));
      assert.match(presented, reason);
    });
  }
});

describe('there is no signature', () => {
  it('without its fields', () => assert.equal(read(undefined, undefined), undefined));
  it('of another label', () =>
    assert.equal(read(INPUT, VALUE, { label: 'sig2', tag: undefined }), undefined));
  it('of another tag', () => assert.equal(read(INPUT, VALUE, { label: undefined, tag: 't' }), undefined));
});

describe('a signature is read', () => {
  it('in all its parts', () => {
    const input =
      'sig1=( "@method"  "@query-param";name="a" );created=1;expires=2;keyid="k";nonce="n";alg="ed25519";tag="t";x=y';
    const presented = read(input, VALUE);
    assert.ok(typeof presented === 'object');
    const { components, signature, ...rest } = presented;
    assert.deepEqual(rest, {
      parameters:
        '("@method" "@query-param";name="a");created=1;expires=2;keyid="k";nonce="n";alg="ed25519";tag="t";x=y',
      keyId: 'k',
      created: 1,
      expires: 2,
      nonce: 'n',
      algorithm: 'ed25519',
    });
    assert.deepEqual(
      components.map(({ name, identifier }) => [name, identifier]),
      [
        ['@method', '"@method"'],
        ['@query-param', '"@query-param";name="a"'],
      ],
    );
    assert.deepEqual(signature, new Uint8Array(3));
  });

  it('from several fields of one name', () => {
    const headers = new HeaderList([
      ...['Signature-Input', 'a=("x");created=1;keyid="a"', 'Signature', 'b=:AAAA:'],
      ...['signature-input', 'b=("y");created=2;keyid="b"', 'SIGNATURE', 'a=:AAAA:'],
    ]);
    const presented = readSignature(headers, { label: 'b', tag: undefined }, sf);
    assert.ok(typeof presented === 'object');
    assert.equal(presented.keyId, 'b');
  });
});
