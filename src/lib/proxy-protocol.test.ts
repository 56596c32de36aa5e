import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { crc32c } from './crc32c.ts';
import { type ProxyFault, readProxyHeader } from './proxy-protocol.ts';

const text = (line: string): Uint8Array => Buffer.from(line, 'latin1');
const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const V4 = [198, 51, 100, 7, 10, 0, 0, 1, 0xdc, 0x04, 0x01, 0xbb];
const word16 = (n: number): number[] => [n >> 8, n & 0xff];
const V6 = [
  ...[0x2001, 0xdb8, 0, 0, 0, 0, 0, 7].flatMap(word16),
  ...[0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].flatMap(word16),
  0xdc,
  0x04,
  0x01,
  0xbb,
];
const MAPPED = [...[0, 0, 0, 0, 0, 0xffff, 0xc633, 0x6407].flatMap(word16), ...V6.slice(16)];

interface Binary {
  readonly versionAndCommand?: number;
  readonly family?: number;
  readonly block?: readonly number[];
  /** As written; default the block's. */
  readonly length?: number;
}

function binary({ versionAndCommand = 0x21, family = 0x11, block = V4, length }: Binary = {}): Uint8Array {
  const size = length ?? block.length;
  return Uint8Array.from([...SIGNATURE, versionAndCommand, family, ...word16(size), ...block]);
}

const tlv = (type: number, value: readonly number[]): number[] => [type, ...word16(value.length), ...value];

/** With a checksum, whole and right, between two other TLVs. */
function summed(family = 0x11, addresses: readonly number[] = V4): Uint8Array {
  const before = [...addresses, ...tlv(0x01, [0x68, 0x32])];
  const bytes = binary({
    family,
    block: [...before, ...tlv(0x03, [0, 0, 0, 0]), ...tlv(0x05, [1, 2, 3])],
  });
  new DataView(bytes.buffer).setUint32(16 + before.length + 3, crc32c(bytes));
  return bytes;
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] ^= 1;
  return copy;
}

describe('readProxyHeader', () => {
  const faults: readonly (readonly [name: string, bytes: Uint8Array, fault: ProxyFault])[] = [
    ['HTTP', text('GET / HTTP/1.1\r\n'), 'signature'],
    ['TLS', text('\x16\x03\x01'), 'signature'],
    ['a method that begins alike', text('PROPFIND / HTTP/1.1\r\n'), 'signature'],
    ['lower case', text('proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n'), 'signature'],
    ['a bare LF', text('PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n'), 'line'],
    ['a bare CR', text('PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rG'), 'line'],
    ['a NUL', text('PROXY TCP4 1.2.3.4\x00'), 'line'],
    ['a tab', text('PROXY TCP4\t'), 'line'],
    ['a byte beyond ASCII', text('PROXY UNKNOWN \xff'), 'line'],
    ['a line of 108 bytes', text(`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`), 'line'],
    ['a line without end', text(`PROXY UNKNOWN ${'x'.repeat(200)}`), 'line'],
    ['no family', text('PROXY \r\n'), 'family'],
    ['two spaces', text('PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n'), 'family'],
    ['UDP', text('PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n'), 'family'],
    ['a family in lower case', text('PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n'), 'family'],
    ['a family that begins alike', text('PROXY UNKNOWNS\r\n'), 'family'],
    ['no addresses', text('PROXY TCP4\r\n'), 'address'],
    ['no destination', text('PROXY TCP4 1.2.3.4\r\n'), 'address'],
    ['an address of the other family', text('PROXY TCP4 2001:db8::7 5.6.7.8 1 2\r\n'), 'address'],
    ['IPv4 as IPv6', text('PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n'), 'address'],
    ['a destination of the other family', text('PROXY TCP4 1.2.3.4 ::1 1 2\r\n'), 'address'],
    ['leading zeros', text('PROXY TCP4 001.2.3.4 5.6.7.8 1 2\r\n'), 'address'],
    ['octets over 255', text('PROXY TCP4 256.2.3.4 5.6.7.8 1 2\r\n'), 'address'],
    ['an address in brackets', text('PROXY TCP6 [::1] ::1 1 2\r\n'), 'address'],
    ['an address with a zone', text('PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n'), 'address'],
    ['no ports', text('PROXY TCP4 1.2.3.4 5.6.7.8\r\n'), 'port'],
    ['one port', text('PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n'), 'port'],
    ['a port over 65535', text('PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n'), 'port'],
    ['a port with a zero before it', text('PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n'), 'port'],
    ['a port with a sign', text('PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n'), 'port'],
    ['more than two ports', text('PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n'), 'line'],
    ['a space at the end', text('PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n'), 'line'],
    ['an empty line and no signature', text('\r\n\r\nGET / HTTP/1.1'), 'signature'],
    ['a signature that is off by a bit', flipped(binary(), 11), 'signature'],
    ['version 1 in binary', binary({ versionAndCommand: 0x11 }), 'version'],
    ['version 3', binary({ versionAndCommand: 0x31 }), 'version'],
    ['an unknown command', binary({ versionAndCommand: 0x22 }), 'command'],
    ['datagrams over IPv4', binary({ family: 0x12 }), 'family'],
    ['datagrams over IPv6', binary({ family: 0x22, block: V6 }), 'family'],
    ['a UNIX socket', binary({ family: 0x31, block: new Array(216).fill(0x61) }), 'family'],
    ['a UNIX datagram socket', binary({ family: 0x32, block: new Array(216).fill(0x61) }), 'family'],
    ['IPv4 without a transport', binary({ family: 0x10 }), 'family'],
    ['a family nobody knows', binary({ family: 0x41 }), 'family'],
    ['a transport nobody knows', binary({ family: 0x13 }), 'family'],
    ['no address', binary({ block: [] }), 'length'],
    ['half an address', binary({ block: V4.slice(0, 11) }), 'length'],
    ['an IPv4 address as IPv6', binary({ family: 0x21 }), 'length'],
    ['a block that is too long', binary({ length: 8193, block: [] }), 'length'],
    ['half a TLV', binary({ block: [...V4, 0x04, 0x00] }), 'extension'],
    ['a TLV beyond the block', binary({ block: [...V4, 0x04, 0x00, 0x02, 0x00] }), 'extension'],
    [
      'a TLV beyond the block, with bytes behind it',
      Uint8Array.from([...binary({ block: [...V4, 0x04, 0x00, 0x02, 0x00] }), 0x00]),
      'extension',
    ],
    ['a byte behind the last TLV', binary({ block: [...V4, ...tlv(0x04, []), 0x00] }), 'extension'],
    ['a checksum of three bytes', binary({ block: [...V4, ...tlv(0x03, [0, 0, 0])] }), 'checksum'],
    ['a wrong checksum', binary({ block: [...V4, ...tlv(0x03, [0, 0, 0, 0])] }), 'checksum'],
    ['an address changed under its checksum', flipped(summed(), 17), 'checksum'],
    ['a port changed under its checksum', flipped(summed(), 24), 'checksum'],
    ['a TLV changed under its checksum', flipped(summed(), summed().length - 1), 'checksum'],
    ['a checksum without addresses', flipped(summed(0x00, []), 19), 'checksum'],
    [
      'two checksums',
      binary({ block: [...V4, ...tlv(0x03, [0, 0, 0, 0]), ...tlv(0x03, [0, 0, 0, 0])] }),
      'checksum',
    ],
  ];
  for (const [name, bytes, fault] of faults) {
    it(`refuses ${name}`, () => assert.deepEqual(readProxyHeader(bytes), { kind: 'fault', fault }));
  }

  const headers: readonly (readonly [name: string, bytes: Uint8Array, source: string | undefined])[] = [
    ['TCP4', text('PROXY TCP4 198.51.100.7 10.0.0.1 56324 443\r\n'), '198.51.100.7'],
    ['TCP6', text('PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n'), '2001:db8::7'],
    ['mapped TCP6', text('PROXY TCP6 ::ffff:198.51.100.7 ::1 0 65535\r\n'), '198.51.100.7'],
    ['UNKNOWN', text('PROXY UNKNOWN\r\n'), undefined],
    ['UNKNOWN with words', text('PROXY UNKNOWN 1.2.3.4 x y\r\n'), undefined],
    ['the longest line', text(`PROXY UNKNOWN ${'f'.repeat(91)}\r\n`), undefined],
    ['binary IPv4', binary(), '198.51.100.7'],
    ['binary IPv6', binary({ family: 0x21, block: V6 }), '2001:db8::7'],
    ['binary mapped IPv6', binary({ family: 0x21, block: MAPPED }), '198.51.100.7'],
    ['the highest address', binary({ block: [255, 255, 255, 255, ...V4.slice(4)] }), '255.255.255.255'],
    ['binary UNSPEC', binary({ family: 0x00, block: [] }), undefined],
    ['LOCAL', binary({ versionAndCommand: 0x20, family: 0x00, block: [] }), undefined],
    ['LOCAL with an address', binary({ versionAndCommand: 0x20 }), undefined],
    ['LOCAL with anything', binary({ versionAndCommand: 0x20, family: 0x31, block: [1, 2, 3] }), undefined],
    ['TLVs', binary({ block: [...V4, ...tlv(0x04, []), ...tlv(0xea, [1, 2, 3])] }), '198.51.100.7'],
    [
      'the longest block',
      binary({ block: [...V4, ...tlv(0x20, new Array(8192 - 15).fill(7))] }),
      '198.51.100.7',
    ],
    ['a checksum', summed(), '198.51.100.7'],
    ['a checksum over IPv6', summed(0x21, V6), '2001:db8::7'],
    ['a checksum without addresses', summed(0x00, []), undefined],
  ];
  for (const [name, bytes, source] of headers) {
    it(`reads ${name}`, () => {
      const read = readProxyHeader(bytes);
      assert.ok(read.kind === 'header', JSON.stringify(read));
      assert.equal(read.source?.text, source);
      assert.equal(read.end, bytes.length);
    });
    it(`reads ${name} as bytes come, and nothing behind it`, () => {
      for (let i = 0; i < bytes.length; i += i < 300 ? 1 : 97) {
        assert.equal(readProxyHeader(bytes.subarray(0, i)).kind, 'more', `after ${i} bytes`);
      }
      const followed = Buffer.concat([Buffer.alloc(3), bytes, Buffer.from('PROXY UNKNOWN\r\n')]).subarray(3);
      assert.deepEqual(readProxyHeader(followed), readProxyHeader(bytes));
    });
  }

  const start = fc.constantFrom(
    ...headers.map(([, bytes]) => bytes),
    ...faults.map(([, bytes]) => bytes),
    Uint8Array.from(SIGNATURE),
    text('PROXY '),
  );
  const bytes = fc
    .record({
      start,
      keep: fc.nat(),
      rest: fc.uint8Array({ maxLength: 400 }),
      flips: fc.array(fc.nat(), { maxLength: 3 }),
    })
    .map(({ start, keep, rest, flips }) => {
      const all = Uint8Array.from([...start.subarray(0, keep % (start.length + 1)), ...rest]);
      for (const flip of flips) if (all.length > 0) all[flip % all.length] ^= 1 << (flip % 8);
      return all;
    });

  it('never throws, never reads past the end, and says the same however the bytes come', () => {
    fc.assert(
      fc.property(bytes, fc.nat(), (all, cut) => {
        const whole = readProxyHeader(all);
        if (whole.kind === 'header') assert.ok(whole.end > 0 && whole.end <= all.length);
        const part = readProxyHeader(all.subarray(0, cut % (all.length + 1)));
        // What was said of a part stays true of the whole.
        if (part.kind !== 'more') assert.deepEqual(part, whole);
        if (whole.kind === 'more') assert.equal(part.kind, 'more');
        if (whole.kind === 'header') assert.deepEqual(readProxyHeader(all.subarray(0, whole.end)), whole);
      }),
      { numRuns: 20_000 },
    );
  });
});
