import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Cidr, networkOf, parseCidr } from './cidr.ts';
import { CidrSet } from './cidr-set.ts';
import { type AddressWords, formatAddress, parseIpAddress } from './ip-address.ts';

const cidr = (text: string): Cidr => {
  const parsed = parseCidr(text);
  assert.ok(!('fault' in parsed), text);
  return parsed;
};
const setOf = (...texts: string[]) =>
  CidrSet.from(texts.map((text, value) => ({ network: cidr(text), value })));
const look = (set: CidrSet, text: string) => {
  const address = parseIpAddress(text);
  assert.ok(address, text);
  return set.lookup(address);
};

const cases: readonly { networks: string[]; found: Readonly<Record<string, number>> }[] = [
  { networks: [], found: { '0.0.0.0': -1, '255.255.255.255': -1, '::': -1, 'ffff::': -1 } },
  {
    networks: ['192.0.2.0/24'],
    found: { '192.0.1.255': -1, '192.0.2.0': 0, '192.0.2.255': 0, '192.0.3.0': -1, '::ffff:192.0.2.7': 0 },
  },
  { networks: ['0.0.0.0/0'], found: { '0.0.0.0': 0, '255.255.255.255': 0, '::': -1, '::1': -1 } },
  { networks: ['::/0'], found: { '::': 0, 'ffff::ffff': 0, '0.0.0.0': -1, '::ffff:192.0.2.1': -1 } },
  {
    networks: ['10.0.0.0/8', '10.1.0.0/16', '10.1.1.1'],
    found: { '10.0.0.1': 0, '10.1.0.1': 1, '10.1.1.1': 2, '10.1.1.2': 1, '10.2.0.0': 0, '11.0.0.0': -1 },
  },
  { networks: ['10.0.0.0/8', '10.0.0.0/16'], found: { '10.0.1.1': 1, '10.1.0.0': 0 } },
  { networks: ['10.0.0.0/9', '10.0.0.0/9'], found: { '10.0.0.1': 0, '10.128.0.0': -1 } },
  { networks: ['255.255.255.255', '0.0.0.0'], found: { '255.255.255.255': 0, '0.0.0.0': 1, '0.0.0.1': -1 } },
  {
    networks: ['10.0.0.0/9', '10.128.0.0/9'],
    found: { '10.127.255.255': 0, '10.128.0.0': 1, '11.0.0.0': -1 },
  },
  {
    networks: ['2001:db8::/32', '2001:db8:0:1::/64', '2001:db8::ffff:ffff', '2001:db8::1:0:0/96'],
    found: {
      '2001:db7:ffff:ffff:ffff:ffff:ffff:ffff': -1,
      '2001:db8::': 0,
      '2001:db8::ffff:ffff': 2,
      '2001:db8::1:0:0': 3,
      '2001:db8::1:ffff:ffff': 3,
      '2001:db8::2:0:0': 0,
      '2001:db8:0:1:ffff:ffff:ffff:ffff': 1,
      '2001:db8:0:2::': 0,
      '2001:db9::': -1,
    },
  },
];

describe('CidrSet', () => {
  for (const { networks, found } of cases) {
    it(`of ${networks.join(', ') || 'nothing'}`, () => {
      const set = setOf(...networks);
      assert.equal(set.size, networks.length);
      for (const [text, value] of Object.entries(found)) assert.equal(look(set, text), value, text);
    });
  }

  it('finds what a scan of all networks finds', () => {
    fc.assert(
      fc.property(
        fc.array(networks, { maxLength: 150, size: 'max' }),
        fc.array(addresses, { maxLength: 20 }),
        (all, other) => {
          const set = CidrSet.from(all.map((network, value) => ({ network, value })));
          for (const address of [...other, ...all.flatMap(edges)]) {
            assert.equal(set.lookup(address), scan(all, address), formatAddress(address));
          }
        },
      ),
      { numRuns: 1500 },
    );
  });

  it("agrees with node's BlockList on what is inside", () => {
    fc.assert(
      fc.property(
        fc.array(networks, { maxLength: 20 }),
        fc.array(addresses, { maxLength: 20 }),
        (all, other) => {
          const set = CidrSet.from(all.map((network, value) => ({ network, value })));
          const oracle = new BlockList();
          const family = (of: AddressWords) => (of.family === 4 ? 'ipv4' : 'ipv6');
          for (const network of all) oracle.addSubnet(formatAddress(network), network.bits, family(network));
          for (const address of [...other, ...all.flatMap(edges)]) {
            // The oracle reads IPv4 through its mapped form when it meets a wide IPv6 network; here they are apart.
            if (address.family === 4 && all.some((network) => network.family === 6 && network.bits < 96))
              continue;
            const inside = oracle.check(formatAddress(address), family(address));
            assert.equal(set.lookup(address) >= 0, inside, formatAddress(address));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('holds neighbours of one value as one stretch', () => {
    const neighbours = Array.from({ length: 256 }, (_, i) => ({ network: cidr(`10.0.${i}.0/24`), value: 7 }));
    const one = [{ network: cidr('10.0.0.0/16'), value: 7 }];
    assert.equal(CidrSet.from(neighbours).byteLength, CidrSet.from(one).byteLength);
  });

  it('finds every one of many networks, at both their ends', () => {
    const texts: string[] = [];
    for (let i = 0; i < 65536; i++) texts.push(`10.${i >> 8}.${i & 255}.${4 + 4 * (i & 31)}/30`);
    const set = setOf(...texts);
    for (let i = 0; i < 65536; i++) {
      const first = cidr(texts[i]);
      assert.equal(set.lookup(first), i);
      assert.equal(set.lookup({ ...first, d: first.d + 3 }), i);
      assert.equal(set.lookup({ ...first, d: first.d - 1 }), -1);
      assert.equal(set.lookup({ ...first, d: first.d + 4 }), -1);
    }
    assert.ok(set.byteLength < 2_000_000, `${set.byteLength}`);
  });
});

/** Few distinct bits, so that networks nest, touch and repeat. */
const word = fc.constantFrom(0, 1, 0x80000000, 0xffffffff, 0x0a000000, 0x0a010000, 0x0a0100ff, 0x20010db8);
const addresses: fc.Arbitrary<AddressWords> = fc.oneof(
  fc.tuple(fc.oneof(word, fc.nat())).map(([d]): AddressWords => ({ family: 4, a: 0, b: 0, c: 0xffff, d })),
  fc.tuple(word, word, word, word).map(([a, b, c, d]): AddressWords => ({ family: 6, a, b, c, d })),
);
const networks = fc
  .tuple(addresses, fc.nat({ max: 128 }))
  .map(([address, bits]) => networkOf(address, address.family === 4 ? bits % 33 : bits));

const holds = (network: Cidr, address: AddressWords): boolean => {
  if (network.family !== address.family) return false;
  const { a, b, c, d } = networkOf(address, network.bits);
  return a === network.a && b === network.b && c === network.c && d === network.d;
};

function scan(all: readonly Cidr[], address: AddressWords): number {
  let best = -1;
  for (const [i, network] of all.entries()) {
    if (holds(network, address) && (best === -1 || network.bits > all[best].bits)) best = i;
  }
  return best;
}

/** The first and last address of a network and their neighbours outside. */
function edges(network: Cidr): AddressWords[] {
  const width = network.family === 4 ? 32n : 128n;
  const first =
    network.family === 4
      ? BigInt(network.d)
      : [network.a, network.b, network.c, network.d].reduce((sum, w) => (sum << 32n) | BigInt(w), 0n);
  const last = first + (1n << (width - BigInt(network.bits))) - 1n;
  const top = (1n << width) - 1n;
  return [first - 1n, first, last, last + 1n]
    .filter((value) => value >= 0n && value <= top)
    .map((value) => addressOf(network.family, value));
}

function addressOf(family: 4 | 6, value: bigint): AddressWords {
  const word32 = (shift: bigint) => Number((value >> shift) & 0xffffffffn);
  if (family === 4) return { family, a: 0, b: 0, c: 0xffff, d: word32(0n) };
  return { family, a: word32(96n), b: word32(64n), c: word32(32n), d: word32(0n) };
}
