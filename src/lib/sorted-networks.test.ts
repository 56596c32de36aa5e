import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Cidr, formatCidr, networkOf, parseCidr } from './cidr.ts';
import { NetworkColumns } from './cidr-boundaries.ts';
import { CidrSet } from './cidr-set.ts';
import { type AddressWords, parseIpAddress } from './ip-address.ts';
import { type NetworkSelection, SortedNetworks } from './sorted-networks.ts';
import { finish, finishInSlices } from './steps.ts';

function columnsOf(networks: readonly Cidr[]): [NetworkColumns, NetworkColumns] {
  const [v4, v6] = [new NetworkColumns(1), new NetworkColumns(4)];
  for (const network of networks) (network.family === 4 ? v4 : v6).add(network, 0);
  return [v4, v6];
}

const cidr = (text: string): Cidr => {
  const parsed = parseCidr(text);
  assert.ok(!('fault' in parsed), text);
  return parsed;
};
const sorted = (...texts: string[]) => finish(SortedNetworks.of(...columnsOf(texts.map(cidr))));
const texts = (from: NetworkSelection): string[] =>
  Array.from({ length: from.size }, (_, i) => formatCidr(from.at(i)));

describe('SortedNetworks', () => {
  it('has each once, IPv4 first, by address, the wider before those inside', () => {
    const list = sorted(
      '2001:db8::/48',
      '10.1.0.0/16',
      '192.0.2.1',
      '10.0.0.0/8',
      '::ffff:10.1.0.0/112',
      '2001:db8::/32',
      '10.1.0.0/24',
      '2001:db8::/32',
    );
    assert.deepEqual(texts(list), [
      '10.0.0.0/8',
      '10.1.0.0/16',
      '10.1.0.0/24',
      '192.0.2.1/32',
      '2001:db8::/32',
      '2001:db8::/48',
    ]);
  });

  it('makes a set that finds places from 1, and their prefixes', () => {
    const list = sorted('2001:db8::/32', '10.1.0.0/16', '10.0.0.0/8');
    const set = CidrSet.shared(finish(list.set()).share());
    const prefixes = list.prefixes();
    for (const [address, place, prefix] of [
      ['10.2.0.1', 1, 8],
      ['10.1.0.1', 2, 16],
      ['::ffff:10.1.0.1', 2, 16],
      ['2001:db8::1', 3, 32],
    ] as const) {
      const parsed = parseIpAddress(address);
      assert.ok(parsed);
      assert.equal(set.lookup(parsed), place);
      assert.equal(prefixes[place - 1], prefix);
    }
  });

  const differences: readonly (readonly [
    before: string[],
    after: string[],
    added: string[],
    removed: string[],
  ])[] = [
    [[], [], [], []],
    [[], ['192.0.2.0/24'], ['192.0.2.0/24'], []],
    [['192.0.2.0/24'], [], [], ['192.0.2.0/24']],
    [['192.0.2.0/24'], ['192.0.2.0/25'], ['192.0.2.0/25'], ['192.0.2.0/24']],
    [
      ['10.0.0.0/8', '192.0.2.1', '2001:db8::/32'],
      ['2001:db8::/32', '2001:db8::/48', '10.0.0.0/8', '198.51.100.0/24'],
      ['198.51.100.0/24', '2001:db8::/48'],
      ['192.0.2.1/32'],
    ],
  ];
  for (const [before, after, added, removed] of differences) {
    it(`tells ${JSON.stringify(before)} from ${JSON.stringify(after)}`, () => {
      const difference = finish(sorted(...before).differenceTo(sorted(...after)));
      assert.deepEqual([texts(difference.added), texts(difference.removed)], [added, removed]);
    });
  }

  it('agrees with sets of texts, and is the same after a way through bytes', () => {
    fc.assert(
      fc.property(fc.array(networks, { maxLength: 200, size: 'max' }), fc.array(networks), (one, other) => {
        const [a, b] = [
          finish(SortedNetworks.of(...columnsOf(one))),
          finish(SortedNetworks.of(...columnsOf(other))),
        ];
        const [inA, inB] = [new Set(one.map(formatCidr)), new Set(other.map(formatCidr))];
        assert.deepEqual(new Set(texts(a)), inA);
        const { added, removed } = finish(a.differenceTo(b));
        assert.deepEqual(new Set(texts(added)), without(inB, inA));
        assert.deepEqual(new Set(texts(removed)), without(inA, inB));
        const bytes = a.encode();
        const again = SortedNetworks.decode(Buffer.concat([Buffer.of(0), bytes]).subarray(1));
        assert.ok(again);
        assert.deepEqual(texts(again), texts(a));
        assert.deepEqual(again.encode(), bytes);
      }),
      { numRuns: 300 },
    );
  });

  it('reads no bytes that are not its own', () => {
    const bytes = sorted('10.0.0.0/8', '2001:db8::/32').encode();
    for (const broken of [
      bytes.subarray(0, -1),
      bytes.subarray(0, 6),
      bytes.subarray(1),
      Buffer.concat([bytes, Buffer.of(0)]),
      Buffer.alloc(0),
      Buffer.from('SPN1\xff\xff\xff\xff', 'latin1'),
    ]) {
      assert.equal(SortedNetworks.decode(broken), undefined);
    }
  });

  it('of a million leaves the event loop its turns', async () => {
    const v4 = new NetworkColumns(1);
    for (let i = 0; i < 1_000_000; i++) {
      v4.add({ family: 4, a: 0, b: 0, c: 0xffff, d: Math.imul(i, 0x9e3779b1) >>> 0, bits: 32 }, 0);
    }
    let steps = 0;
    function* counted<T>(work: Generator<undefined, T>): Generator<undefined, T> {
      for (;;) {
        const step = work.next();
        if (step.done) return step.value;
        steps++;
        yield;
      }
    }
    const list = await finishInSlices(counted(SortedNetworks.of(v4, new NetworkColumns(4))));
    const set = await finishInSlices(counted(list.set()));
    assert.equal(list.size, 1_000_000);
    assert.equal(set.size, 1_000_000);
    // 20 ms of work in one step on a slow machine would be fewer than these.
    assert.ok(steps > 200, `${steps}`);
  });
});

const without = (some: ReadonlySet<string>, others: ReadonlySet<string>): ReadonlySet<string> =>
  new Set([...some].filter((text) => !others.has(text)));

const word = fc.constantFrom(0, 1, 0x80000000, 0xffffffff, 0x0a000000, 0x0a010000, 0x20010db8);
const addresses: fc.Arbitrary<AddressWords> = fc.oneof(
  fc.tuple(fc.oneof(word, fc.nat())).map(([d]): AddressWords => ({ family: 4, a: 0, b: 0, c: 0xffff, d })),
  fc.tuple(word, word, word, word).map(([a, b, c, d]): AddressWords => ({ family: 6, a, b, c, d })),
);
const networks = fc
  .tuple(addresses, fc.nat({ max: 128 }))
  .map(([address, bits]) => networkOf(address, address.family === 4 ? bits % 33 : bits));
