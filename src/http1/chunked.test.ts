import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ChunkedDecoder, chunkLine, lastChunk } from './chunked.ts';

interface Reading {
  readonly body: string;
  readonly trailers: readonly string[];
  readonly fault: string | undefined;
  readonly done: boolean;
  /** Bytes behind the message. */
  readonly rest: number;
}

/** Feeds `text` cut at the given places. */
function read(text: string, cuts: readonly number[] = [], maxTrailers = 4): Reading {
  const bytes = Buffer.from(text, 'latin1');
  const decoder = new ChunkedDecoder(maxTrailers);
  let body = '';
  let taken = 0;
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    if (decoder.done || decoder.fault !== undefined) break;
    const part = bytes.subarray(from, to);
    taken = from + decoder.decode(part, 0);
    for (let i = 0; i < decoder.pieces.length; i += 2) {
      body += part.toString('latin1', decoder.pieces[i], decoder.pieces[i + 1]);
    }
    from = to;
  }
  assert.equal(decoder.total, body.length);
  const { trailers, fault, done } = decoder;
  return { body, trailers, fault, done, rest: bytes.length - taken };
}

const BODIES: [name: string, text: string, body: string, trailers: string[], rest: number][] = [
  ['empty', '0\r\n\r\n', '', [], 0],
  ['zeros', '000\r\n\r\n', '', [], 0],
  [
    'two chunks, both cases',
    'a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n',
    '01234567890123456789',
    [],
    0,
  ],
  ['a chunk that looks like an end', '5\r\n0\r\n\r\n\r\n0\r\n\r\n', '0\r\n\r\n', [], 0],
  ['extensions', '1;a\r\nx\r\n1;a=b;c="d;\\"\t e"\r\ny\r\n0;z\r\n\r\n', 'xy', [], 0],
  ['trailers', '1\r\nx\r\n0\r\nX-A: 1\r\nX-B:2\r\n\r\n', 'x', ['X-A', '1', 'X-B', '2'], 0],
  ['what follows is left', '1\r\nx\r\n0\r\n\r\nGET /', 'x', [], 5],
  [
    'fields that may not be trailers are dropped',
    '0\r\nContent-Type: a\r\nConnection: close\r\nAuthorization: x\r\n\r\n',
    '',
    [],
    0,
  ],
  [
    'identity in trailers is dropped',
    '0\r\nX-Consumer-Id: x\r\nx_consumer_id: x\r\nX-Forwarded-For: x\r\nX-Z: 1\r\n\r\n',
    '',
    ['X-Z', '1'],
    0,
  ],
];

const FAULTS: [name: string, text: string, fault: string][] = [
  ['no size', '\r\n', 'chunk-size'],
  ['not hexadecimal', 'g\r\n', 'chunk-size'],
  ['0x', '0x5\r\nhello\r\n', 'chunk-size'],
  ['a sign', '+5\r\nhello\r\n', 'chunk-size'],
  ['a space in front', ' 5\r\nhello\r\n', 'chunk-size'],
  ['a space behind', '5 \r\nhello\r\n', 'chunk-size'],
  ['a tab behind', '5\t;a\r\nhello\r\n', 'chunk-size'],
  ['too many digits', '0000000000005\r\nhello\r\n', 'chunk-size'],
  ['LF behind the size', '5\nhello\r\n', 'chunk-size'],
  ['CR and another byte behind the size', '5\rhello\r\n', 'chunk-size'],
  ['CR CR LF', '5\r\r\nhello\r\n', 'chunk-size'],
  ['a byte above 127', '\xb5\r\n', 'chunk-size'],
  ['no CRLF behind the data', '5\r\nhello0\r\n\r\n', 'chunk-end'],
  ['LF behind the data', '5\r\nhello\n0\r\n\r\n', 'chunk-end'],
  ['CR and another byte behind the data', '5\r\nhello\rx', 'chunk-end'],
  ['extension: no name', '5;\r\nhello\r\n', 'chunk-extension'],
  ['extension: space before its name', '5; a\r\nhello\r\n', 'chunk-extension'],
  ['extension: no value', '5;a=\r\nhello\r\n', 'chunk-extension'],
  ['extension: bad name', '5;a(\r\nhello\r\n', 'chunk-extension'],
  ['extension: LF', '5;a\nhello\r\n', 'chunk-extension'],
  ['extension: LF in quotes', '5;a="\n"\r\nhello\r\n', 'chunk-extension'],
  ['extension: CR in quotes', '5;a="\r\n"\r\nhello\r\n', 'chunk-extension'],
  ['extension: quoted pair of a control', '5;a="\\\r"\r\n', 'chunk-extension'],
  ['extension: text behind quotes', '5;a="b"c\r\nhello\r\n', 'chunk-extension'],
  ['extension: NUL', '5;a\0\r\nhello\r\n', 'chunk-extension'],
  ['extension: CR and another byte', '5;a\rX\r\nhello\r\n', 'chunk-size'],
  ['extension: longer than allowed', `5;${'a'.repeat(1024)}\r\nhello\r\n`, 'chunk-extension'],
  [
    'extensions: longer in sum than allowed',
    `${`1;${'a'.repeat(200)}\r\nx\r\n`.repeat(6)}`,
    'chunk-extension',
  ],
  ['last chunk ended by LF', '0\n\r\n', 'chunk-size'],
  ['trailers ended by LF', '0\r\n\n', 'bare-lf'],
  ['trailer: LF', '0\r\nA: b\n\r\n', 'bare-lf'],
  ['trailer: bare CR', '0\r\nA: b\rc\r\n\r\n', 'bare-cr'],
  ['trailer: CR in front', '0\r\n\rA: b\r\n\r\n', 'bare-cr'],
  ['trailer: folded', '0\r\nA: b\r\n c\r\n\r\n', 'obs-fold'],
  ['trailer: space before the colon', '0\r\nA : b\r\n\r\n', 'space-before-colon'],
  ['trailer: no name', '0\r\n: b\r\n\r\n', 'field-name'],
  ['trailer: NUL', '0\r\nA: \0\r\n\r\n', 'field-value'],
  ['trailer: a length', '0\r\nContent-Length: 5\r\n\r\n', 'trailer'],
  ['trailer: a coding', '0\r\ntransfer_encoding: chunked\r\n\r\n', 'trailer'],
  ['trailer: a host', '0\r\nHost: b\r\n\r\n', 'trailer'],
  ['trailers: too many', '0\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n\r\n', 'too-many-fields'],
  ['trailers: too long', `0\r\nA: ${'b'.repeat(8192)}\r\n\r\n`, 'trailer'],
];

describe('decoded', () => {
  for (const [name, text, body, trailers, rest] of BODIES) {
    const expected = { body, trailers, fault: undefined, done: true, rest };
    it(name, () => assert.deepEqual(read(text), expected));
    it(`${name}: cut at every place, and byte by byte`, () => {
      for (let cut = 1; cut < text.length; cut++) {
        const seen = read(text, [cut]);
        assert.deepEqual({ ...seen, rest }, expected, `cut at ${cut}`);
      }
      const every = Array.from(text, (_, i) => i).slice(1);
      assert.deepEqual({ ...read(text, every), rest }, expected);
    });
    it(`${name}: never done early`, () => {
      for (let n = 0; n < text.length - rest; n++) assert.equal(read(text.slice(0, n)).done, false);
    });
  }
});

describe('refused', () => {
  for (const [name, text, fault] of FAULTS) {
    it(name, () => assert.equal(read(text).fault, fault));
    it(`${name}: byte by byte`, () => {
      const every = Array.from(text, (_, i) => i).slice(1);
      assert.equal(read(text, every).fault, fault);
    });
  }
  it('a fault is for good', () => {
    const decoder = new ChunkedDecoder(4);
    decoder.decode(Buffer.from('x'), 0);
    assert.equal(decoder.decode(Buffer.from('0\r\n\r\n'), 0), 0);
    assert.equal(decoder.fault, 'chunk-size');
    assert.equal(decoder.done, false);
  });
});

it('the neighbours of the limits are taken', () => {
  assert.equal(read('000000000005\r\nhello\r\n0\r\n\r\n').body, 'hello');
  assert.equal(read(`5;${'a'.repeat(1022)}\r\nhello\r\n0\r\n\r\n`).body, 'hello');
  assert.equal(read('0\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n').trailers.length, 8);
});

it('what was written is read back, however it arrives', () => {
  const body = fc.array(fc.string({ minLength: 1, maxLength: 40, unit: 'binary-ascii' }), { maxLength: 8 });
  fc.assert(
    fc.property(body, fc.array(fc.nat(400), { maxLength: 6 }), (chunks, places) => {
      const sent = chunks.map((c) => `${chunkLine(c.length)}${c}\r\n`).join('');
      const text = sent + lastChunk(['X-T', 'v']);
      const cuts = places.filter((p) => p > 0 && p < text.length).sort((a, b) => a - b);
      const seen = read(text, cuts);
      assert.equal(seen.body, chunks.join(''));
      assert.deepEqual(seen.trailers, ['X-T', 'v']);
      assert.equal(seen.done, true);
    }),
  );
});
