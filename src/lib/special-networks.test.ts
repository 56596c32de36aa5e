import assert from 'node:assert/strict';
import { it } from 'node:test';
import { formatCidr, parseCidr } from './cidr.ts';
import { isTooWide, SPECIAL_NETWORKS } from './special-networks.ts';

it('every special range is there', () => {
  assert.equal(SPECIAL_NETWORKS.length, 9);
  const text = SPECIAL_NETWORKS.map(({ network, name }) => `${formatCidr(network)} ${name}`).join('\n');
  for (const one of ['127.0.0.0/8 loopback', '::1/128 loopback', '100.64.0.0/10', 'fe80::/10', 'fc00::/7']) {
    assert.ok(text.includes(one), one);
  }
});

const widths: readonly (readonly [network: string, isTooWide: boolean])[] = [
  ['0.0.0.0/0', true],
  ['0.0.0.0/1', true],
  ['128.0.0.0/1', true],
  ['192.0.0.0/7', true],
  ['10.0.0.0/8', false],
  ['224.0.0.0/3', false],
  ['240.0.0.0/4', false],
  ['192.0.0.0/3', true],
  ['::ffff:0.0.0.0/96', true],
  ['::/0', true],
  ['2000::/3', true],
  ['2001::/16', false],
  ['2400::/12', true],
  ['8000::/1', false],
  ['fc00::/7', false],
  ['ff00::/8', false],
  ['::/1', true],
];
for (const [text, expected] of widths) {
  it(`${text} is ${expected ? '' : 'not '}too wide`, () => {
    const network = parseCidr(text);
    assert.ok(!('fault' in network));
    assert.equal(isTooWide(network), expected);
  });
}
