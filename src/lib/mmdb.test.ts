import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { COUNTRIES, type MmdbContent, SYSTEMS, writeMmdb } from '../../test/fixtures/mmdb.ts';
import { parseIpAddress } from './ip-address.ts';
import { openMmdb } from './mmdb.ts';

function shared(bytes: Uint8Array): Uint8Array {
  const memory = new Uint8Array(new SharedArrayBuffer(bytes.length));
  memory.set(bytes);
  return memory;
}

const open = (content: MmdbContent) => openMmdb(shared(writeMmdb(content)));
const address = (text: string) => {
  const parsed = parseIpAddress(text);
  assert.ok(parsed);
  return parsed;
};

describe('a database in the MaxMind format', () => {
  it('is read from shared memory, the narrowest network first', async () => {
    const countries = await open(COUNTRIES);
    assert.equal(countries.type, 'GeoLite2-Country');
    for (const [text, iso] of [
      ['192.0.2.1', 'DE'],
      ['192.0.2.200', 'FR'],
      ['::ffff:192.0.2.200', 'FR'],
      ['2001:db8::1', 'NL'],
      ['2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', 'NL'],
      ['2001:db9::', undefined],
      ['203.0.113.1', undefined],
      ['0.0.0.0', undefined],
    ] as const) {
      const record = countries.get(address(text));
      const expected = iso === undefined ? null : { country: { iso_code: iso, names: { en: iso } } };
      assert.deepEqual(record, expected, text);
      // The second time it is remembered.
      assert.deepEqual(countries.get(address(text)), expected, text);
    }
  });

  it('has numbers of 32 bits', async () => {
    const systems = await open(SYSTEMS);
    assert.match(JSON.stringify(systems.get(address('203.0.113.1'))), /4200000001/);
  });

  it('of IPv4 alone knows nothing of IPv6', async () => {
    const networks = [['32.0.0.0/3', { country: { iso_code: 'DE' } }]] as const;
    const countries = await open({ type: 'GeoLite2-Country', ipVersion: 4, networks });
    assert.notEqual(countries.get(address('33.0.0.1')), null);
    // Its first bits are those of 32.1.13.184.
    assert.equal(countries.get(address('2001:db8::1')), null);
  });

  const whole = writeMmdb(COUNTRIES);
  const broken: readonly (readonly [name: string, bytes: Uint8Array])[] = [
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('a page of HTML in its place, as long as it may be'.repeat(100))],
    ['its second half', whole.subarray(-100)],
    ['one without its end', whole.subarray(0, -150)],
  ];
  for (const [name, bytes] of broken) {
    it(`is not ${name}`, async () => {
      await assert.rejects(openMmdb(shared(bytes)), Error);
    });
  }
});
