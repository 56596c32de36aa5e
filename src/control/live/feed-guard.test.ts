import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sortedNetworks } from '../../../test/fixtures/address-lists.ts';
import { type Cidr, parseCidr } from '../../lib/cidr.ts';
import { NetworkColumns } from '../../lib/cidr-boundaries.ts';
import { SortedNetworks } from '../../lib/sorted-networks.ts';
import { finish } from '../../lib/steps.ts';
import { judgeRefresh } from './feed-guard.ts';

interface Case {
  readonly name: string;
  /** Undefined: nothing was ever loaded. */
  readonly before?: readonly string[];
  readonly after: readonly string[];
  readonly maxChange?: number;
  readonly allowPrivate?: boolean;
  readonly protect?: readonly string[];
  readonly own?: readonly string[];
  /** One for each reason; none: it is taken. */
  readonly reasons: readonly RegExp[];
  readonly change?: readonly [added: number, removed: number];
}

const TEN = Array.from({ length: 10 }, (_, i) => `198.51.100.${i}`);
const networks = (texts: readonly string[] = []): Cidr[] =>
  texts.map((text) => {
    const network = parseCidr(text);
    assert.ok(!('fault' in network), text);
    return network;
  });

const cases: readonly Case[] = [
  { name: 'an empty first one', after: [], reasons: [/empty/] },
  { name: 'an empty one', before: TEN, after: [], reasons: [/empty/, /100 %/], change: [0, 10] },
  { name: 'an empty one, whatever may change', before: TEN, after: [], maxChange: 99, reasons: [/empty/] },
  {
    name: 'one that removes too much',
    before: TEN,
    after: TEN.slice(3),
    reasons: [/30 %.*0 added, 3 removed.*20 %/],
  },
  {
    name: 'one that adds too much',
    before: TEN,
    after: [...TEN, '203.0.113.1', '203.0.113.2', '203.0.113.3'],
    reasons: [/30 %/],
  },
  {
    name: 'one that adds and removes too much together',
    before: TEN,
    after: [...TEN.slice(2), '203.0.113.1'],
    reasons: [/30 %/],
    change: [1, 2],
  },
  {
    name: 'any change, where none may be',
    before: TEN,
    after: TEN.slice(1),
    maxChange: 0,
    reasons: [/10 %/],
  },
  { name: 'loopback', after: ['203.0.113.1', '127.0.0.1'], reasons: [/127\.0\.0\.1\/32 \(loopback\)/] },
  { name: 'loopback of IPv6', after: ['::1'], reasons: [/loopback/] },
  { name: 'a mapped private address', after: ['::ffff:10.1.2.3'], reasons: [/10\.1\.2\.3\/32 \(private\)/] },
  {
    name: 'a private network',
    after: ['10.0.0.0/8', '172.20.0.0/16', '192.168.1.0/24', 'fd00::/8'],
    reasons: [/private/],
  },
  { name: 'what holds a private network', after: ['172.0.0.0/8'], reasons: [/172\.0\.0\.0\/8 \(private\)/] },
  {
    name: 'link-local',
    after: ['169.254.169.254', 'fe80::/10'],
    reasons: [/169\.254\.169\.254\/32 \(link-local\), fe80::/],
  },
  { name: 'customers behind carrier-grade NAT', after: ['100.64.0.0/10'], reasons: [/carrier-grade NAT/] },
  { name: 'a default route', after: ['0.0.0.0/0'], reasons: [/wider than.*0\.0\.0\.0\/0/] },
  { name: 'a default route, private or not', after: ['::/0'], allowPrivate: true, reasons: [/wider than/] },
  {
    name: 'a default route in two halves',
    after: ['0.0.0.0/1', '128.0.0.0/1'],
    allowPrivate: true,
    reasons: [/0\.0\.0\.0\/1, 128\.0\.0\.0\/1/],
  },
  {
    name: 'a protected network',
    after: ['203.0.113.0/24'],
    protect: ['203.0.113.0/24'],
    reasons: [/protected/],
  },
  {
    name: 'what is in a protected network',
    after: ['203.0.113.7'],
    protect: ['203.0.113.0/24'],
    reasons: [/protected/],
  },
  {
    name: 'what holds a protected network',
    after: ['203.0.0.0/16'],
    protect: ['203.0.113.0/24'],
    reasons: [/protected/],
  },
  {
    name: 'a protected network inside another',
    after: ['203.0.113.0/24'],
    protect: ['203.0.113.0/28', '203.0.112.0/20'],
    reasons: [/protected/],
  },
  {
    name: 'an address of this machine',
    after: ['203.0.113.0/24'],
    own: ['203.0.113.9'],
    reasons: [/this machine/],
  },
  {
    name: 'its own, private or not',
    after: ['10.0.0.0/24'],
    own: ['10.0.0.9'],
    allowPrivate: true,
    reasons: [/this machine/],
  },
  {
    name: 'all faults at once',
    before: TEN,
    after: ['10.0.0.1', '0.0.0.0/0'],
    reasons: [/120 %/, /private/, /wider/],
  },
  {
    name: 'a wider one, where a part was let in before',
    before: ['10.0.0.1', ...TEN],
    after: ['10.0.0.0/24', '10.0.0.1', ...TEN],
    reasons: [/10\.0\.0\.0\/24 \(private\)$/],
  },

  { name: 'a first one', after: ['203.0.113.1'], reasons: [], change: [1, 0] },
  { name: 'the same', before: TEN, after: TEN, maxChange: 0, reasons: [], change: [0, 0] },
  { name: 'a change as large as it may be', before: TEN, after: TEN.slice(2), reasons: [], change: [0, 2] },
  { name: 'one after an empty one that was let in', before: [], after: TEN, reasons: [] },
  {
    name: 'a private network, where that may be',
    after: ['10.0.0.0/8', '127.0.0.0/8', 'fc00::/7'],
    allowPrivate: true,
    reasons: [],
  },
  {
    name: 'what a person has let in before',
    before: ['10.0.0.0/8', ...TEN],
    after: ['10.0.0.0/8', ...TEN, '203.0.113.1'],
    reasons: [],
  },
  { name: 'bogons of bogon lists', after: ['0.0.0.0/8', '224.0.0.0/3', '240.0.0.0/4'], reasons: [] },
  {
    name: 'neighbours of what is protected',
    after: ['203.0.112.255', '203.0.114.0/24', '9.255.255.255', '11.0.0.0/8'],
    protect: ['203.0.113.0/24'],
    reasons: [],
  },
];

describe('a refresh is judged:', () => {
  for (const { name, reasons, change, ...one } of cases) {
    it(`${name} is ${reasons.length > 0 ? 'held' : 'taken'}`, () => {
      const { maxChange = 0.2, allowPrivate = false } = one;
      const before = one.before === undefined ? undefined : sortedNetworks(one.before);
      const plan = { maxChange, allowPrivate, protect: networks(one.protect) };
      const judged = finish(judgeRefresh(before, sortedNetworks(one.after), plan, networks(one.own)));
      assert.equal(judged.reasons.length, reasons.length, JSON.stringify(judged.reasons));
      reasons.forEach((says, i) => void assert.match(judged.reasons[i], says));
      if (change !== undefined) assert.deepEqual([judged.added, judged.removed], change);
    });
  }

  it('very many protected networks are told as the first and a number', () => {
    const after = sortedNetworks(Array.from({ length: 500 }, (_, i) => `10.0.${i >> 8}.${i & 255}`));
    const { reasons } = finish(
      judgeRefresh(undefined, after, { maxChange: 1, allowPrivate: false, protect: [] }, []),
    );
    assert.match(reasons[0], /and 490 more$/);
    assert.ok(reasons[0].length < 400);
  });

  it('a million against a million, with ten thousand protected, takes a second or two and many steps', () => {
    const of = (shift: number): SortedNetworks => {
      const v4 = new NetworkColumns(1);
      for (let i = 0; i < 1_000_000; i++) {
        const d = (0xc0000000 | (Math.imul(i + shift, 0x9e3779b1) >>> 2)) >>> 0;
        v4.add({ family: 4, a: 0, b: 0, c: 0xffff, d: (d & ~1) >>> 0, bits: 31 }, 0);
      }
      return finish(SortedNetworks.of(v4, new NetworkColumns(4)));
    };
    const protect = networks(Array.from({ length: 10_000 }, (_, i) => `11.${i >> 8}.${i & 255}.0/24`));
    const steps = judgeRefresh(of(0), of(500_000), { maxChange: 9, allowPrivate: true, protect }, []);
    let count = 0;
    while (!steps.next().done) count++;
    assert.ok(count > 200, `${count}`);
  });
});
