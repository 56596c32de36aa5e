import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { namePattern, type Pattern, textPattern, thumbprintPattern } from './pattern.ts';

type Kind = Parameters<typeof textPattern>[0] | 'name' | 'thumbprint';

function patternOf(kind: Kind, text: string): Pattern | string {
  if (kind === 'name') return namePattern(text);
  return kind === 'thumbprint' ? thumbprintPattern(text) : textPattern(kind, text);
}

const SPIFFE = 'spiffe://example.org/ns/*/sa/orders';

describe('a pattern', () => {
  const faults: readonly (readonly [kind: Kind, text: string])[] = [
    ['dns', ''],
    ['dns', 'a b'],
    ['dns', '.example'],
    ['dns', 'a.'],
    ['dns', '**.example'],
    ['dns', 'a*b*.example'],
    ['uri', 'example.org/x'],
    ['uri', '*://example.org/x'],
    ['uri', 'spiffe://a b'],
    ['uri', 'spiffe://example.org/*x*'],
    ['email', 'orders'],
    ['email', 'a@b@c'],
    ['email', '*@*@c'],
    ['commonName', ''],
    ['commonName', 'a\nb'],
    ['commonName', '*-*'],
    ['name', ''],
    ['name', 'orders'],
    ['name', 'O = Example; CN = orders'],
    ['name', 'CN=*-*,O=Example'],
    ['thumbprint', ''],
    ['thumbprint', '*'],
    ['thumbprint', 'B'.repeat(43)],
    ['thumbprint', 'ab'.repeat(31)],
  ];
  for (const [kind, text] of faults) {
    it(`of ${kind} is refused: ${JSON.stringify(text)}`, () =>
      assert.equal(typeof patternOf(kind, text), 'string'));
  }

  const misses: readonly (readonly [kind: Kind, text: string, name: string])[] = [
    ['dns', 'a.example', 'b.example'],
    ['dns', 'a.example', 'a.example.evil'],
    ['dns', 'a.example', 'xa.example'],
    ['dns', '*.example', 'example'],
    ['dns', '*.example', '.example'],
    ['dns', '*.example', 'a.b.example'],
    ['dns', '*.example', '*.example'],
    ['dns', 'a-*.example', 'a-.example'],
    ['dns', 'a-*-b.example', 'a-b.example'],
    ['uri', SPIFFE, 'spiffe://example.org/ns/a/b/sa/orders'],
    ['uri', SPIFFE, 'spiffe://example.org/ns//sa/orders'],
    ['uri', SPIFFE, 'spiffe://example.org/ns/../sa/orders'],
    ['uri', SPIFFE, 'spiffe://example.org/ns/%2e%2e/sa/orders'],
    ['uri', SPIFFE, 'spiffe://example.org/ns/a%2fb/sa/orders'],
    ['uri', SPIFFE, 'spiffe://example.org/ns/a?/sa/orders'],
    ['uri', SPIFFE, 'spiffe://example.org/ns/a#/sa/orders'],
    ['uri', SPIFFE, 'spiffe://example.org/ns/a/sa/orders/'],
    ['uri', SPIFFE, 'SPIFFE://example.org/ns/a/sa/orders'],
    ['uri', 'spiffe://*/sa', 'spiffe://a@b/sa'],
    ['email', '*@example.org', 'a@example.org.evil'],
    ['email', '*@example.org', 'a@b@example.org'],
    ['email', 'Orders@example.org', 'orders@example.org'],
    ['commonName', 'orders', 'Orders'],
    ['commonName', 'orders', 'orders '],
    ['commonName', 'orders-*', 'orders-'],
    ['commonName', 'orders-*', 'xorders-1'],
    ['commonName', '*', 'a\0b'],
    ['name', 'CN=orders,O=Example', 'O=Example,CN=orders'],
    ['name', 'CN=orders,O=Example', 'CN=orders'],
    ['name', 'CN=orders,O=Example', 'CN=orders\\,O\\=Example'],
    ['name', 'CN=orders,O=Example', 'CN=orders+O=Example'],
    ['name', 'CN=orders,O=Example', 'CN=orders,CN=orders,O=Example'],
    ['name', 'CN=*,O=Example', 'CN=a,OU=b,O=Example'],
    ['name', 'CN=*,O=Example', 'CN=a\\,O=Example,O=Evil'],
    ['name', 'CN=*,O=Example', 'CN=a\\00,O=Example'],
    ['name', 'CN=*,O=Example', ''],
    ['thumbprint', 'A'.repeat(43), `${'A'.repeat(42)}Q`],
  ];
  for (const [kind, text, name] of misses) {
    it(`${text} is not ${JSON.stringify(name)}`, () => {
      const pattern = patternOf(kind, text);
      assert.ok(typeof pattern !== 'string', String(pattern));
      assert.equal(pattern.match(name), undefined);
    });
  }

  const hits: readonly (readonly [kind: Kind, text: string, name: string, star: string | undefined])[] = [
    ['dns', 'a.example', 'a.example', undefined],
    ['dns', 'A.Example', 'a.example', undefined],
    ['dns', '*.example', 'orders.example', 'orders'],
    ['dns', 'a-*-b.example', 'a-x-b.example', 'x'],
    ['dns', '*.*.example', 'a.b.example', undefined],
    ['uri', SPIFFE, 'spiffe://example.org/ns/shop/sa/orders', 'shop'],
    ['uri', 'urn:orders:*', 'urn:orders:1', '1'],
    ['email', '*@example.org', 'a.b+c@EXAMPLE.org', 'a.b+c'],
    ['email', 'orders@*', 'orders@example.org', 'example.org'],
    ['commonName', 'orders-*', 'orders-eu 1', 'eu 1'],
    ['name', 'cn=orders, o=Example', 'CN=orders,O=Example', undefined],
    ['name', 'CN=*,O=Example', 'CN=a\\,b,O=Example', 'a,b'],
    ['name', 'OU=x+CN=orders', 'CN=orders+OU=x', undefined],
    ['name', 'CN=*+OU=x', 'OU=x+CN=a', 'a'],
    ['thumbprint', '00'.repeat(32), 'A'.repeat(43), undefined],
    ['thumbprint', 'A'.repeat(43), 'A'.repeat(43), undefined],
  ];
  for (const [kind, text, name, star] of hits) {
    it(`${text} is ${name}`, () => {
      const pattern = patternOf(kind, text);
      assert.ok(typeof pattern !== 'string', String(pattern));
      assert.deepEqual(pattern.match(name), { name, star });
    });
  }
});
