import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatCidr } from '../cidr.ts';
import { SortedNetworks } from '../sorted-networks.ts';
import { finish } from '../steps.ts';
import { type FeedFault, type FeedForm, readFeed } from './index.ts';

const AUTO: FeedForm = { format: 'auto', items: undefined, fields: ['cidr'], maxEntries: 1000 };

function read(text: string | Uint8Array, form: Partial<FeedForm> = {}): readonly string[] | FeedFault {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const result = finish(readFeed(bytes, { ...AUTO, ...form }));
  if (!(result instanceof SortedNetworks)) return result;
  return Array.from({ length: result.size }, (_, i) => formatCidr(result.at(i)));
}

/** Written by hand in the shapes that the real ones have. */
const SPAMHAUS_DROP = `; Spamhaus DROP List 2026/11/23 - (c) 2026 The Spamhaus Project SLU
; https://www.spamhaus.org/drop/drop.txt
; Last-Modified: Mon, 23 Nov 2026 06:25:01 GMT
; Expires: Tue, 24 Nov 2026 08:12:42 GMT
192.0.2.0/24 ; SBL123456
198.51.100.0/25 ; SBL234567
203.0.113.64/26 ; SBL345678
`;
const SPAMHAUS_DROP_V6 = `; Spamhaus IPv6 DROP List 2026/11/23
2001:db8:bad::/48 ; SBL456789
2001:db8:1000::/36 ; SBL567890
`;
const SPAMHAUS_JSON = `{"cidr":"192.0.2.0/24","sblid":"SBL123456","rir":"arin"}
{"cidr":"2001:db8:bad::/48","sblid":"SBL456789","rir":"ripencc"}
{"type":"metadata","timestamp":1795414301,"size":141,"records":2,"copyright":"(c) 2026 The Spamhaus Project SLU","terms":"https://www.spamhaus.org/drop/terms/"}
`;
const FIREHOL = `#
# firehol_level1
#
# ipv4 hash:net netset
#
# A firewall blacklist composed from IP lists, providing maximum protection
#
# Maintainer      : FireHOL
# Entries         : 3 subnets, 66560 unique IPs
#
0.0.0.0/8
198.51.100.7
203.0.113.0/24\r
`;

const sound: readonly (readonly [
  name: string,
  text: string,
  networks: readonly string[],
  form?: Partial<FeedForm>,
])[] = [
  ['nothing', '', []],
  ['comments alone', '# none today\n;\n\n   \n', []],
  ['Spamhaus DROP', SPAMHAUS_DROP, ['192.0.2.0/24', '198.51.100.0/25', '203.0.113.64/26']],
  ['Spamhaus DROP of IPv6', SPAMHAUS_DROP_V6, ['2001:db8:bad::/48', '2001:db8:1000::/36']],
  ['Spamhaus DROP as JSON lines', SPAMHAUS_JSON, ['192.0.2.0/24', '2001:db8:bad::/48']],
  [
    'JSON lines where lines were asked for',
    SPAMHAUS_JSON,
    ['192.0.2.0/24', '2001:db8:bad::/48'],
    { format: 'plain' },
  ],
  ['a FireHOL netset', FIREHOL, ['0.0.0.0/8', '198.51.100.7/32', '203.0.113.0/24']],
  [
    'a byte order mark, tabs, no last line feed',
    '\ufeff\t192.0.2.1\t# x\n192.0.2.2;y',
    ['192.0.2.1/32', '192.0.2.2/32'],
  ],
  [
    'one network twice, and as a mapped one',
    '192.0.2.0/24\n::ffff:192.0.2.0/120\n192.0.2.0/24\n',
    ['192.0.2.0/24'],
  ],
  ['a JSON array of texts', '["192.0.2.0/24", "2001:db8::/32"]', ['192.0.2.0/24', '2001:db8::/32']],
  ['an empty JSON array', ' [ ] ', []],
  ['a JSON array of objects', '[{"cidr":"192.0.2.0/24","since":1}]', ['192.0.2.0/24']],
  [
    'an array in a member, two names of its networks (Google)',
    '{"syncToken":"1","prefixes":[{"ipv4Prefix":"192.0.2.0/24"},{"ipv6Prefix":"2001:db8::/32","scope":"x"}]}',
    ['192.0.2.0/24', '2001:db8::/32'],
    { items: 'prefixes', fields: ['ipv4Prefix', 'ipv6Prefix'] },
  ],
  [
    'an array of texts in a member (GitHub)',
    '{"verifiable":true,"hooks":["192.0.2.0/24","2001:db8::/32"],"web":["198.51.100.0/24"]}',
    ['192.0.2.0/24', '2001:db8::/32'],
    { items: 'hooks' },
  ],
];

const refused: readonly (readonly [
  name: string,
  text: string | Uint8Array,
  fault: FeedFault['fault'],
  says: RegExp,
  form?: Partial<FeedForm>,
])[] = [
  ['a page of HTML', '\n<!DOCTYPE html><html><body>Just a moment...</body></html>', 'html', /HTML/],
  ['a page where JSON was asked for', '<html></html>', 'html', /HTML/, { format: 'json' }],
  ['compressed bytes', Uint8Array.of(0x1f, 0x8b, 8, 0, 0xff), 'not-text', /UTF-8/],
  [
    'one bad line among good ones',
    '192.0.2.0/24\nexample.com\n198.51.100.0/24\n',
    'unparsable',
    /line 2.*example\.com/,
  ],
  ['bits beyond a prefix', '192.0.2.1/24\n', 'unparsable', /line 1/],
  ['a line cut in the middle', `${SPAMHAUS_DROP}203.0.113.`, 'unparsable', /line 8/],
  ['a range', '192.0.2.0-192.0.2.255\n', 'unparsable', /line 1/],
  ['two networks on one line', '192.0.2.0/24 198.51.100.0/24\n', 'unparsable', /line 1/],
  ['an IPv4 address in octal', '010.0.0.1\n', 'unparsable', /line 1/],
  ['JSON cut in the middle', '["192.0.2.0/24", "198.51', 'unparsable', /JSON/],
  ['a JSON array of numbers', '[1]', 'unparsable', /item 1/],
  ['a JSON array of null', '[null]', 'unparsable', /item 1/],
  ['an object without the field', '["192.0.2.0/24",{"ip":"192.0.2.1"}]', 'unparsable', /item 2.*"cidr"/],
  ['an object whose field is inherited', '[{}]', 'unparsable', /item 1/, { fields: ['toString'] }],
  ['an object whose field is no text', '[{"cidr":["192.0.2.0/24"]}]', 'unparsable', /item 1/],
  [
    'an object whose field is twice there',
    '[{"cidr":"192.0.2.0/24","cidr":"10.0.0.0/8"}]',
    'unparsable',
    /duplicate/,
  ],
  ['JSON nested beyond reason', `${'['.repeat(10_000)}`, 'unparsable', /depth/],
  ['a member that is not there', '{"a":[]}', 'unparsable', /"prefixes"/, { items: 'prefixes' }],
  ['text where JSON was asked for', '192.0.2.0/24\n', 'unparsable', /JSON/, { format: 'json' }],
  ['JSON lines with a bad one', '{"cidr":"192.0.2.0/24"}\n{"cidr":"x"}\n', 'unparsable', /line 2/],
  ['JSON lines that were cut', SPAMHAUS_JSON.slice(SPAMHAUS_JSON.indexOf('\n')), 'truncated', /2 records/],
  [
    'more entries than allowed',
    '192.0.2.1\n192.0.2.2\n192.0.2.3\n',
    'too-many',
    /2 entries/,
    { maxEntries: 2 },
  ],
];

describe('a feed is read that is', () => {
  for (const [name, text, networks, form] of sound) {
    it(name, () => assert.deepEqual(read(text, form), networks));
  }
});

describe('a feed is refused that is', () => {
  for (const [name, text, fault, says, form] of refused) {
    it(name, () => {
      const result = read(text, form);
      assert.ok('fault' in result, JSON.stringify(result));
      assert.equal(result.fault, fault);
      assert.match(result.message, says);
    });
  }

  it('absurd, with no more than a piece of it repeated', () => {
    const result = read(`192.0.2.0/24\n${'x'.repeat(1_000_000)}\u0007`);
    assert.ok('fault' in result);
    assert.ok(result.message.length < 200);
  });
});

it('a feed of very many lines gives others their turns', () => {
  const lines = Array.from({ length: 50_000 }, (_, i) => `10.${i >> 8}.${i & 255}.1`).join('\n');
  const steps = readFeed(Buffer.from(lines), { ...AUTO, maxEntries: 1_000_000 });
  let count = 0;
  while (!steps.next().done) count++;
  assert.ok(count > 90, `${count}`);
});
