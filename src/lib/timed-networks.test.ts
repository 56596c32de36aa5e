import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Cidr, holdsNetwork, networkOf, parseCidr } from './cidr.ts';
import { type AddressWords, parseIpAddress } from './ip-address.ts';
import { type TimedNetwork, TimedNetworks } from './timed-networks.ts';

const entry = (text: string, untilMs: number): TimedNetwork => {
  const network = parseCidr(text);
  assert.ok(!('fault' in network), text);
  return { network, untilMs };
};
const address = (text: string): AddressWords => {
  const parsed = parseIpAddress(text);
  assert.ok(parsed, text);
  return parsed;
};

const STAYS = Number.POSITIVE_INFINITY;

const cases: readonly {
  readonly name: string;
  readonly entries: readonly (readonly [network: string, untilMs: number])[];
  /** Places by time, for one address. */
  readonly found: readonly (readonly [address: string, nowMs: number, place: number])[];
}[] = [
  { name: 'none', entries: [], found: [['192.0.2.1', 0, -1]] },
  {
    name: 'one, to the very millisecond',
    entries: [['192.0.2.0/24', 100]],
    found: [
      ['192.0.2.1', 99, 0],
      ['192.0.2.1', 100, -1],
      ['192.0.3.1', 0, -1],
      ['::ffff:192.0.2.1', 99, 0],
    ],
  },
  {
    name: 'a wider one after a narrower one, and again before',
    entries: [
      ['192.0.2.1', 100],
      ['192.0.0.0/16', STAYS],
      ['192.0.2.0/24', 200],
    ],
    found: [
      ['192.0.2.1', 0, 0],
      ['192.0.2.1', 100, 2],
      ['192.0.2.1', 200, 1],
      ['192.0.2.1', 0, 0],
      ['192.0.3.1', 0, 1],
    ],
  },
  {
    name: 'a repetition after the first, then what is around',
    entries: [
      ['10.0.0.0/8', 400],
      ['10.1.0.0/16', 100],
      ['10.1.0.0/16', 300],
      ['10.1.0.0/16', 200],
      ['10.1.1.0/24', 50],
    ],
    found: [
      ['10.1.1.1', 0, 4],
      ['10.1.1.1', 50, 1],
      ['10.1.1.1', 100, 2],
      ['10.1.1.1', 300, 0],
      ['10.1.1.1', 400, -1],
    ],
  },
  {
    name: 'IPv6 apart from IPv4',
    entries: [
      ['::/0', STAYS],
      ['2001:db8::/32', 100],
    ],
    found: [
      ['2001:db8::1', 0, 1],
      ['2001:db8::1', 100, 0],
      ['192.0.2.1', 0, -1],
    ],
  },
];

describe('TimedNetworks', () => {
  for (const { name, entries, found } of cases) {
    it(name, () => {
      const networks = new TimedNetworks(entries.map(([text, untilMs]) => entry(text, untilMs)));
      assert.equal(networks.size, entries.length);
      for (const [text, nowMs, place] of found) {
        assert.equal(networks.lookup(address(text), nowMs), place, `${text} at ${nowMs}`);
      }
    });
  }

  it('finds what a scan finds', () => {
    fc.assert(
      fc.property(fc.array(timed, { maxLength: 60, size: 'max' }), fc.nat({ max: 10 }), (entries, nowMs) => {
        const networks = new TimedNetworks(entries);
        for (const { network } of entries) {
          assert.equal(networks.lookup(network, nowMs), scan(entries, network, nowMs));
        }
      }),
      { numRuns: 1000 },
    );
  });
});

const timed: fc.Arbitrary<TimedNetwork> = fc
  .tuple(
    fc.constantFrom(0x0a000000, 0x0a010000, 0x0a0100ff, 0, 0xffffffff),
    fc.nat({ max: 32 }),
    fc.nat({ max: 10 }),
  )
  .map(([d, bits, untilMs]) => ({
    network: networkOf({ family: 4, a: 0, b: 0, c: 0xffff, d }, bits),
    untilMs,
  }));

function scan(entries: readonly TimedNetwork[], at: Cidr, nowMs: number): number {
  const whole = { ...at, bits: 32 };
  let best = -1;
  for (const [i, { network, untilMs }] of entries.entries()) {
    if (untilMs <= nowMs || !holdsNetwork(network, whole)) continue;
    if (best === -1 || network.bits > entries[best].network.bits) best = i;
  }
  return best;
}
