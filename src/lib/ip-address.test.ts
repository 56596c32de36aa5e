import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatAddress, networkKey, parseIpAddress, prefixMask } from './ip-address.ts';

const refused = [
  ['', 'nothing'],
  ['1.2.3', 'three parts'],
  ['1.2.3.4.5', 'five parts'],
  ['1.2.3.', 'an empty last part'],
  ['.1.2.3', 'an empty first part'],
  ['1..2.3', 'an empty part'],
  ['127.1', 'the short form of inet_aton'],
  ['2130706433', 'one number'],
  ['0177.0.0.1', 'octal'],
  ['127.0.0.01', 'a leading zero'],
  ['00.0.0.0', 'two zeros'],
  ['0x7f.0.0.1', 'hexadecimal'],
  ['256.0.0.1', 'a part over 255'],
  ['1.2.3.4 ', 'trailing white space'],
  [' 1.2.3.4', 'leading white space'],
  ['1.2.3.4\n', 'a line feed'],
  ['+1.2.3.4', 'a sign'],
  ['\uff11.2.3.4', 'full-width digits'],
  ['1.2.3.4/32', 'a network'],
  ['1.2.3.4:80', 'a port'],
  [':', 'one colon'],
  [':::', 'three colons'],
  ['1::2::3', 'two gaps'],
  ['1:2:3:4:5:6:7', 'seven groups'],
  ['1:2:3:4:5:6:7:8:9', 'nine groups'],
  ['1:2:3:4:5:6:7:8::', 'a gap of no groups'],
  ['::1:2:3:4:5:6:7:8', 'a gap of no groups in front'],
  [':1:2:3:4:5:6:7', 'a leading colon'],
  ['1:2:3:4:5:6:7:', 'a trailing colon'],
  ['12345::', 'five digits'],
  ['g::', 'not hexadecimal'],
  ['[::1]', 'brackets'],
  ['fe80::1%eth0', 'a zone id'],
  ['fe80::1%', 'an empty zone id'],
  ['::1.2.3', 'a short quad'],
  ['::1.2.3.04', 'a leading zero in a quad'],
  ['1.2.3.4::', 'a quad in front'],
  ['::1.2.3.4:5', 'a quad in the middle'],
  ['1:2:3:4:5:6:7:1.2.3.4', 'a quad too many'],
] as const;

const accepted = [
  ['192.0.2.1', '192.0.2.1', 4],
  ['0.0.0.0', '0.0.0.0', 4],
  ['255.255.255.255', '255.255.255.255', 4],
  ['::ffff:192.0.2.1', '192.0.2.1', 4],
  ['::FFFF:c000:0201', '192.0.2.1', 4],
  ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1', 4],
  ['::', '::', 6],
  ['::1', '::1', 6],
  ['1::', '1::', 6],
  ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1', 6],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1', 6],
  ['2001:0db8::0001', '2001:db8::1', 6],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0', 6],
  ['::192.0.2.1', '::c000:201', 6],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221', 6],
  ['fe80::1', 'fe80::1', 6],
] as const;

describe('parseIpAddress', () => {
  for (const [text, why] of refused) {
    it(`refuses ${why}: ${JSON.stringify(text)}`, () => assert.equal(parseIpAddress(text), undefined));
  }

  for (const [text, canonical, family] of accepted) {
    it(`reads ${text} as ${canonical}`, () => {
      const address = parseIpAddress(text);
      assert.equal(address?.text, canonical);
      assert.equal(address?.family, family);
    });
  }

  it('holds IPv4 as a mapped address in unsigned words', () => {
    assert.deepEqual(parseIpAddress('255.0.2.1'), {
      text: '255.0.2.1',
      family: 4,
      a: 0,
      b: 0,
      c: 0xffff,
      d: 0xff000201,
    });
  });

  it("accepts what node's parser accepts (zones apart) and nothing else", () => {
    const pieces = fc.constantFrom('0', '1', '00', '9', '255', '256', 'f', 'ffff', '.', ':', '::', '%', ' ');
    const texts = fc.oneof(
      fc.array(pieces, { maxLength: 16 }).map((parts) => parts.join('')),
      fc.ipV4(),
      fc.ipV6(),
    );
    fc.assert(
      fc.property(texts, (text) => {
        assert.equal(parseIpAddress(text) !== undefined, isIP(text) !== 0 && !text.includes('%'));
      }),
      { numRuns: 3000 },
    );
  });

  it('means what the URL parser of the platform means, and reads its own text again', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const address = parseIpAddress(text);
        assert.ok(address);
        const { a, b, c, d } = address;
        const wide = formatAddress({ family: 6, a, b, c, d });
        const asIpv6 = text.includes(':') ? text : `::ffff:${text}`;
        assert.equal(`[${wide}]`, new URL(`http://[${asIpv6}]/`).hostname);
        assert.equal(formatAddress(address), address.text);
        assert.deepEqual(parseIpAddress(address.text), address);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('networkKey', () => {
  const key = (text: string, v4Bits = 32, v6Bits = 64) => {
    const address = parseIpAddress(text);
    assert.ok(address);
    return networkKey(address, v4Bits, v6Bits);
  };

  it('gives every address of one /64 one key', () => {
    assert.equal(key('2001:db8:0:1::1'), key('2001:db8:0:1:ffff:ffff:ffff:ffff'));
    assert.notEqual(key('2001:db8:0:1::1'), key('2001:db8:0:2::1'));
  });

  it('keeps IPv4 addresses apart, whichever way they are written', () => {
    assert.equal(key('::ffff:192.0.2.1'), key('192.0.2.1'));
    assert.notEqual(key('192.0.2.1'), key('192.0.2.2'));
    assert.equal(key('192.0.2.1', 24), key('192.0.2.2', 24));
    assert.notEqual(key('192.0.2.1', 24), key('192.0.3.1', 24));
  });

  it('takes any prefix of IPv6', () => {
    assert.equal(key('2001:db8:1::', 32, 32), key('2001:db8:2::', 32, 32));
    assert.equal(key('2001:db8::1:0:0', 32, 80), key('2001:db8::1:1:0', 32, 80));
    assert.notEqual(key('2001:db8::1', 32, 128), key('2001:db8::2', 32, 128));
  });
});

describe('prefixMask', () => {
  for (const [bits, mask] of [
    [-1, 0],
    [0, 0],
    [1, 0x80000000],
    [24, 0xffffff00],
    [32, 0xffffffff],
    [96, 0xffffffff],
  ] as const) {
    it(`of ${bits} bits`, () => assert.equal(prefixMask(bits), mask));
  }
});
