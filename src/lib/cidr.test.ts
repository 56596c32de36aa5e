import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatCidr, parseCidr } from './cidr.ts';

const refused = [
  ['', 'nothing'],
  ['/24', 'no address'],
  ['192.0.2.0/', 'an empty prefix'],
  ['192.0.2.0/33', 'a prefix over 32'],
  ['2001:db8::/129', 'a prefix over 128'],
  ['192.0.2.0/-1', 'a negative prefix'],
  ['192.0.2.0/+24', 'a signed prefix'],
  ['192.0.2.0/024', 'a leading zero'],
  ['192.0.2.0/24.0', 'a fraction'],
  ['192.0.2.0/ 24', 'white space'],
  ['192.0.2.0/24 ', 'trailing white space'],
  ['192.0.2.0/24/24', 'two prefixes'],
  ['192.0.2.0/255.255.255.0', 'a net mask'],
  ['192.0.2/24', 'a short network'],
  ['192.0.2.*', 'a wildcard'],
  ['192.0.2.0-192.0.2.9', 'a range'],
  ['::ffff:192.0.2.0/24', 'a mapped network with an IPv4 prefix'],
  ['::ffff:0:0/95', 'a mapped network wider than IPv4'],
  ['list:spamhaus-drop', 'a list'],
] as const;

const accepted = [
  ['192.0.2.0/24', '192.0.2.0/24'],
  ['0.0.0.0/0', '0.0.0.0/0'],
  ['192.0.2.1', '192.0.2.1/32'],
  ['2001:DB8::/32', '2001:db8::/32'],
  ['::/0', '::/0'],
  ['::1', '::1/128'],
  ['::ffff:192.0.2.0/120', '192.0.2.0/24'],
  ['::ffff:0:0/96', '0.0.0.0/0'],
  ['::ffff:192.0.2.1', '192.0.2.1/32'],
  ['2001:db8:0:0:8000::/65', '2001:db8:0:0:8000::/65'],
] as const;

const withHostBits = [
  ['192.0.2.1/24', '192.0.2.0/24'],
  ['10.0.0.0/0', '0.0.0.0/0'],
  ['2001:db8::1/64', '2001:db8::/64'],
  ['2001:db8:0:1::/63', '2001:db8::/63'],
  ['::ffff:192.0.2.1/120', '192.0.2.0/24'],
] as const;

describe('parseCidr', () => {
  for (const [text, why] of refused) {
    it(`refuses ${why}: ${JSON.stringify(text)}`, () => assert.ok('fault' in parseCidr(text)));
  }

  for (const [text, network] of withHostBits) {
    it(`refuses the host bits of ${text} and names ${network}`, () => {
      const parsed = parseCidr(text);
      assert.ok('fault' in parsed);
      assert.ok(parsed.suggestion?.includes(network), parsed.suggestion);
    });
  }

  for (const [text, canonical] of accepted) {
    it(`reads ${text} as ${canonical}`, () => {
      const parsed = parseCidr(text);
      assert.ok(!('fault' in parsed));
      assert.equal(formatCidr(parsed), canonical);
    });
  }
});
