import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { values } from '../fixtures/raw-client.ts';
import { Stage } from './stage.ts';

/** Request smuggling: every way known to make two readers disagree where a message ends. */

let stage: Stage;
before(async () => {
  stage = await Stage.open();
});
after(() => stage.close());

const HOST = 'Host: a.test\r\n';
/** What would be smuggled: seen as a request of its own it would reach the upstream under this path. */
const SMUGGLED = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`;
const CHUNKED_POISON = `0\r\n\r\n${SMUGGLED}`;

const post = (fields: string, body: string, version = '1.1'): string =>
  `POST /c HTTP/${version}\r\n${HOST}${fields}\r\n${body}`;
const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body);

/** Refused outright: an answer of 400 (or 501, 413, 431 where said), the connection closed, nothing forwarded whole. */
const REFUSED: readonly (readonly [name: string, bytes: string, statuses?: readonly number[]])[] = [
  // 1: length and chunked
  [
    'CL.TE',
    post(`Content-Length: ${CHUNKED_POISON.length}\r\nTransfer-Encoding: chunked\r\n`, CHUNKED_POISON),
  ],
  ['TE.CL', post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', `3c\r\n${SMUGGLED}`)],
  [
    'CL.TE with the length first and zero',
    post('Content-Length: 0\r\nTransfer-Encoding: chunked\r\n', CHUNKED_POISON),
  ],
  ['TE.CL in another case', post('tRaNsFeR-eNcOdInG: chunked\r\ncOnTeNt-LeNgTh: 4\r\n', CHUNKED_POISON)],
  [
    'TE.CL with other fields between',
    post(`Transfer-Encoding: chunked\r\n${'X-A: b\r\n'.repeat(50)}Content-Length: 4\r\n`, CHUNKED_POISON),
  ],
  ['TE on HTTP/1.0', post('Transfer-Encoding: chunked\r\n', CHUNKED_POISON, '1.0')],
  // 2: lengths
  ['two different lengths', post('Content-Length: 5\r\nContent-Length: 6\r\n', `hello${SMUGGLED}`)],
  ['two equal lengths', post('Content-Length: 5\r\nContent-Length: 5\r\n', `hello${SMUGGLED}`)],
  ['list of different lengths', post('Content-Length: 5, 6\r\n', `hello${SMUGGLED}`)],
  ['list of equal lengths', post('Content-Length: 5, 5\r\n', `hello${SMUGGLED}`)],
  ['length with plus', post('Content-Length: +5\r\n', `hello${SMUGGLED}`)],
  ['length with minus', post('Content-Length: -5\r\n', SMUGGLED)],
  ['length minus zero', post('Content-Length: -0\r\n', SMUGGLED)],
  ['length in hex', post('Content-Length: 0x5\r\n', `hello${SMUGGLED}`)],
  ['length in octal', post('Content-Length: 0o5\r\n', `hello${SMUGGLED}`)],
  ['length with underscore', post('Content-Length: 1_0\r\n', `helloworld${SMUGGLED}`)],
  ['length with a space inside', post('Content-Length: 1 0\r\n', `helloworld${SMUGGLED}`)],
  ['length with fraction', post('Content-Length: 5.0\r\n', `hello${SMUGGLED}`)],
  ['length with exponent', post('Content-Length: 5e0\r\n', `hello${SMUGGLED}`)],
  ['length in full-width digits', post('Content-Length: \xef\xbc\x95\r\n', `hello${SMUGGLED}`)],
  ['length in superscript latin1', post('Content-Length: \xb2\r\n', `he${SMUGGLED}`)],
  ['empty length', post('Content-Length: \r\n', SMUGGLED)],
  ['length over 2^63', post('Content-Length: 9223372036854775813\r\n', `hello${SMUGGLED}`)],
  ['length over 2^64', post('Content-Length: 18446744073709551621\r\n', `hello${SMUGGLED}`)],
  ['length behind vertical tab', post('Content-Length: \x0b5\r\n', `hello${SMUGGLED}`)],
  ['length before form feed', post('Content-Length: 5\x0c\r\n', `hello${SMUGGLED}`)],
  ['length with NUL', post('Content-Length: 5\x00\r\n', `hello${SMUGGLED}`)],
  ['length after no-break space', post('Content-Length: \xa05\r\n', `hello${SMUGGLED}`)],
  ['length with a quoted value', post('Content-Length: "5"\r\n', `hello${SMUGGLED}`)],
  // 3: transfer codings
  ['TE xchunked', post('Transfer-Encoding: xchunked\r\n', CHUNKED_POISON), [400, 501]],
  ['TE chunked with parameters', post('Transfer-Encoding: chunked;q=1\r\n', CHUNKED_POISON), [400, 501]],
  ['TE quoted', post('Transfer-Encoding: "chunked"\r\n', CHUNKED_POISON), [400, 501]],
  ['TE in apostrophes', post("Transfer-Encoding: 'chunked'\r\n", CHUNKED_POISON), [400, 501]],
  ['TE identity', post('Transfer-Encoding: identity\r\n', CHUNKED_POISON), [400, 501]],
  ['TE gzip', post('Transfer-Encoding: gzip\r\n', CHUNKED_POISON), [400, 501]],
  ['TE gzip, chunked', post('Transfer-Encoding: gzip, chunked\r\n', CHUNKED_POISON), [400, 501]],
  ['TE chunked, gzip', post('Transfer-Encoding: chunked, gzip\r\n', CHUNKED_POISON)],
  ['TE chunked, identity', post('Transfer-Encoding: chunked, identity\r\n', CHUNKED_POISON)],
  ['TE chunked twice in a list', post('Transfer-Encoding: chunked, chunked\r\n', CHUNKED_POISON)],
  [
    'TE chunked in two fields',
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', CHUNKED_POISON),
  ],
  [
    'TE chunked then identity',
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', CHUNKED_POISON),
  ],
  [
    'TE identity then chunked',
    post('Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n', CHUNKED_POISON),
    [400, 501],
  ],
  ['TE with leading comma', post('Transfer-Encoding: , chunked\r\n', CHUNKED_POISON)],
  ['TE with trailing comma', post('Transfer-Encoding: chunked,\r\n', CHUNKED_POISON)],
  ['TE empty', post('Transfer-Encoding:\r\n', CHUNKED_POISON)],
  ['TE empty with a length', post('Transfer-Encoding:\r\nContent-Length: 5\r\n', `hello${SMUGGLED}`)],
  ['TE behind vertical tab', post('Transfer-Encoding: \x0bchunked\r\n', CHUNKED_POISON)],
  ['TE before vertical tab', post('Transfer-Encoding: chunked\x0b\r\n', CHUNKED_POISON)],
  ['TE behind form feed', post('Transfer-Encoding: \x0cchunked\r\n', CHUNKED_POISON)],
  ['TE with NUL', post('Transfer-Encoding: chunked\x00\r\n', CHUNKED_POISON)],
  ['TE with DEL', post('Transfer-Encoding: chunked\x7f\r\n', CHUNKED_POISON)],
  ['TE with latin1', post('Transfer-Encoding: chunke\xe4\r\n', CHUNKED_POISON), [400, 501]],
  ['TE behind no-break space', post('Transfer-Encoding: \xa0chunked\r\n', CHUNKED_POISON), [400, 501]],
  ['TE folded', post('Transfer-Encoding:\r\n chunked\r\n', CHUNKED_POISON)],
  ['TE folded with a tab', post('Transfer-Encoding:\r\n\tchunked\r\n', CHUNKED_POISON)],
  ['TE folded onto another field', post('X-A: b\r\n Transfer-Encoding: chunked\r\n', CHUNKED_POISON)],
  ['TE with a space before the colon', post('Transfer-Encoding : chunked\r\n', CHUNKED_POISON)],
  ['TE with a tab before the colon', post('Transfer-Encoding\t: chunked\r\n', CHUNKED_POISON)],
  [
    'TE with a space before the name',
    `POST /c HTTP/1.1\r\n Transfer-Encoding: chunked\r\n${HOST}\r\n${CHUNKED_POISON}`,
  ],
  ['TE with a space inside the name', post('Transfer Encoding: chunked\r\n', CHUNKED_POISON)],
  ['TE under underscore', post('Transfer_Encoding: chunked\r\nContent-Length: 5\r\n', `hello${SMUGGLED}`)],
  ['CL under underscore', post('Content_Length: 5\r\n', `hello${SMUGGLED}`)],
  ['TE behind a bare CR', post('X-A: b\rTransfer-Encoding: chunked\r\n', CHUNKED_POISON)],
  ['TE behind a bare LF', post('X-A: b\nTransfer-Encoding: chunked\r\n', CHUNKED_POISON)],
  [
    'TE behind an empty line of LF only',
    `POST /c HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED_POISON}`,
  ],
  ['TE without a colon', post('Transfer-Encoding chunked\r\n', CHUNKED_POISON)],
  ['TE behind a NUL name', post('\x00Transfer-Encoding: chunked\r\n', CHUNKED_POISON)],
  [
    'TE behind a byte order mark',
    `POST /c HTTP/1.1\r\n\xef\xbb\xbfTransfer-Encoding: chunked\r\n${HOST}\r\n${CHUNKED_POISON}`,
  ],
  // 7: chunks
  ['chunk size empty', chunked(`\r\nhello\r\n${CHUNKED_POISON}`)],
  ['chunk size not hex', chunked(`g\r\nhello\r\n${CHUNKED_POISON}`)],
  ['chunk size 0x5', chunked(`0x5\r\nhello\r\n${CHUNKED_POISON}`)],
  ['chunk size +5', chunked(`+5\r\nhello\r\n${CHUNKED_POISON}`)],
  ['chunk size -5', chunked(`-5\r\nhello\r\n${CHUNKED_POISON}`)],
  ['chunk size -0', chunked(`-0\r\n\r\n${SMUGGLED}`)],
  ['chunk size 1_0', chunked(`1_0\r\nhello world!!!!!\r\n${CHUNKED_POISON}`)],
  ['chunk size with leading space', chunked(` 5\r\nhello\r\n${CHUNKED_POISON}`)],
  ['chunk size with trailing space', chunked(`5 \r\nhello\r\n${CHUNKED_POISON}`)],
  ['chunk size with trailing tab', chunked(`5\t\r\nhello\r\n${CHUNKED_POISON}`)],
  ['chunk size with vertical tab', chunked(`5\x0b\r\nhello\r\n${CHUNKED_POISON}`)],
  ['chunk size with NUL', chunked(`5\x00\r\nhello\r\n${CHUNKED_POISON}`)],
  ['chunk size over 2^64', chunked(`10000000000000005\r\nhello\r\n${CHUNKED_POISON}`), [400, 413]],
  ['chunk size with very many zeros', chunked(`${'0'.repeat(5000)}5\r\nhello\r\n${CHUNKED_POISON}`)],
  ['chunk size in full-width digits', chunked(`\xef\xbc\x95\r\nhello\r\n${CHUNKED_POISON}`)],
  ['chunk line ended by LF', chunked(`5\nhello\r\n${CHUNKED_POISON}`)],
  ['chunk line ended by CR', chunked(`5\rhello\r\n${CHUNKED_POISON}`)],
  ['chunk line ended by CR CR LF', chunked(`5\r\r\nhello\r\n${CHUNKED_POISON}`)],
  ['chunk line ended by CR and another byte', chunked(`5\rXhello\r\n${CHUNKED_POISON}`)],
  ['chunk data ended by LF', chunked(`5\r\nhello\n${CHUNKED_POISON}`)],
  ['chunk data ended by CR', chunked(`5\r\nhello\r${CHUNKED_POISON}`)],
  ['chunk data ended by two other bytes', chunked(`5\r\nhelloXX${CHUNKED_POISON}`)],
  ['chunk data not ended', chunked(`5\r\nhello${CHUNKED_POISON}`)],
  ['chunk data longer than said', chunked(`5\r\nhello!!\r\n${CHUNKED_POISON}`)],
  ['chunk data shorter than said', chunked(`7\r\nhello\r\n0\r\n\r\n${SMUGGLED}`)],
  ['last chunk ended by LF', chunked(`5\r\nhello\r\n0\n\r\n${SMUGGLED}`)],
  ['trailers ended by LF', chunked(`5\r\nhello\r\n0\r\n\n${SMUGGLED}`)],
  ['trailers ended by CR', chunked(`5\r\nhello\r\n0\r\n\r${SMUGGLED}`)],
  ['extension with LF', chunked(`5;a\nhello\r\n${CHUNKED_POISON}`)],
  ['extension with CR', chunked(`5;a\rX\r\nhello\r\n${CHUNKED_POISON}`)],
  [
    'extension that hides a chunk behind LF (Funky chunks)',
    chunked(`2;\n\nxx\r\n4c\r\n0\r\n\r\n${SMUGGLED}`),
  ],
  ['extension with LF in quotes', chunked(`5;a="\n"\r\nhello\r\n${CHUNKED_POISON}`)],
  ['extension with NUL', chunked(`5;a\x00\r\nhello\r\n${CHUNKED_POISON}`)],
  ['extension without a name', chunked(`5;\r\nhello\r\n${CHUNKED_POISON}`)],
  ['extension with a bad token', chunked(`5;bad[=x\r\nhello\r\n${CHUNKED_POISON}`)],
  ['extension of 64 kB', chunked(`5;a=${'b'.repeat(65536)}\r\nhello\r\n${CHUNKED_POISON}`), [400, 413, 431]],
  [
    'extensions of many kB over many chunks',
    chunked(`${`1;a=${'b'.repeat(200)}\r\nx\r\n`.repeat(400)}${CHUNKED_POISON}`),
    [400, 413, 431],
  ],
  ['trailer with a length', chunked(`5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n${SMUGGLED}`)],
  [
    'trailer with a transfer coding',
    chunked(`5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n${SMUGGLED}`),
  ],
  ['trailer with a space before the colon', chunked(`5\r\nhello\r\n0\r\nX-T : v\r\n\r\n${SMUGGLED}`)],
  ['trailer folded', chunked(`5\r\nhello\r\n0\r\nX-T: v\r\n w\r\n\r\n${SMUGGLED}`)],
  ['trailer with a bare LF', chunked(`5\r\nhello\r\n0\r\nX-T: v\nX-U: w\r\n\r\n${SMUGGLED}`)],
  [
    'trailers of 64 kB',
    chunked(`5\r\nhello\r\n0\r\nX-T: ${'v'.repeat(65536)}\r\n\r\n${SMUGGLED}`),
    [400, 413, 431],
  ],
];

describe('items 1, 2, 3, 7: ambiguous framing is refused', () => {
  for (const [name, bytes, statuses = [400]] of REFUSED) {
    test(name, async () => {
      const outcome = await stage.send(bytes, { closes: true });
      assert.equal(outcome.statuses.length, 1, `answers: ${outcome.statuses}`);
      assert.ok(statuses.includes(outcome.statuses[0]), `status ${outcome.statuses[0]}`);
      assert.ok(outcome.closed, 'the connection stays open');
      assert.deepEqual(
        outcome.forwarded.map((r) => r.startLine),
        [],
      );
    });
  }
});

/** Sound, if unusual: forwarded once, framed anew, and the second request is its own. */
const FORWARDED: readonly (readonly [name: string, bytes: string, body: string])[] = [
  ['length with surrounding blanks', post('Content-Length: \t 5 \t\r\n', 'hello'), 'hello'],
  ['chunked in another case', post('TRANSFER-ENCODING: CHUNKED\r\n', '5\r\nhello\r\n0\r\n\r\n'), 'hello'],
  [
    'chunked with blanks around',
    post('Transfer-Encoding: \t chunked \r\n', '5\r\nhello\r\n0\r\n\r\n'),
    'hello',
  ],
  ['extension dropped', chunked('5;a=b;c="d;e"\r\nhello\r\n0;x\r\n\r\n'), 'hello'],
  ['upper-case hex', chunked('A\r\nhelloworld\r\n0\r\n\r\n'), 'helloworld'],
  ['leading zeros in a size', chunked('005\r\nhello\r\n000\r\n\r\n'), 'hello'],
  [
    'a request inside a chunk',
    chunked(`${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`),
    SMUGGLED,
  ],
  ['a request inside a length', post(`Content-Length: ${SMUGGLED.length}\r\n`, SMUGGLED), SMUGGLED],
  ['last chunk inside a chunk', chunked('5\r\n0\r\n\r\n\r\n0\r\n\r\n'), '0\r\n\r\n'],
];

describe('sound framing is forwarded as one request, framed anew', () => {
  for (const [name, bytes, body] of FORWARDED) {
    test(name, async () => {
      const next = `GET /next HTTP/1.1\r\n${HOST}\r\n`;
      const outcome = await stage.send(bytes + next, { answers: 2 });
      assert.deepEqual(outcome.statuses, [200, 200]);
      assert.deepEqual(
        outcome.forwarded.map((r) => r.startLine.split(' ')[1]),
        ['/c', '/next'],
      );
      assert.equal(outcome.forwarded[0].body.toString('latin1'), body);
    });
  }
});

describe('item 4: a chunked body on any method is framed anew, never left behind', () => {
  for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'PROPFIND']) {
    for (const [framing, fields, body] of [
      [
        'chunked',
        'Transfer-Encoding: chunked\r\n',
        `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
      ],
      ['length', `Content-Length: ${SMUGGLED.length}\r\n`, SMUGGLED],
    ]) {
      test(`${method} with a body by ${framing}`, async () => {
        const outcome = await stage.send(`${method} /c HTTP/1.1\r\n${HOST}${fields}\r\n${body}`, {
          methods: [method],
        });
        assert.deepEqual(
          outcome.forwarded.map((r) => r.startLine),
          [`${method} /c HTTP/1.1`],
        );
        assert.equal(outcome.forwarded[0].body.toString('latin1'), SMUGGLED);
        const framings = [
          ...values(outcome.forwarded[0], 'content-length'),
          ...values(outcome.forwarded[0], 'transfer-encoding'),
        ];
        assert.equal(framings.length, 1, 'exactly one framing field');
      });
    }
  }
});

test('a chunk size over 2^32 is not cut to its low bits', async () => {
  const client = await stage.connect();
  const known = stage.upstream.requests.length;
  client.send(chunked(`100000005\r\nhello\r\n${CHUNKED_POISON}`));
  await stage.probe();
  const forwarded = stage.upstream.requests.slice(known).filter((r) => !r.startLine.includes('/probe'));
  assert.deepEqual(forwarded, []);
  client.close();
});

test('a body cut off by the client never becomes a whole request upstream', async () => {
  for (const bytes of [
    chunked('5\r\nhel'),
    chunked('5\r\nhello\r\n'),
    post('Content-Length: 10\r\n', 'hello'),
  ]) {
    const client = await stage.connect();
    const known = stage.upstream.requests.length;
    client.send(bytes);
    client.reset();
    await stage.probe();
    const forwarded = stage.upstream.requests.slice(known).filter((r) => !r.startLine.includes('/probe'));
    assert.deepEqual(forwarded, []);
  }
});

test('every byte split gives the same reading', async () => {
  const bytes = Buffer.from(
    `${chunked('5;a=b\r\nhello\r\n0\r\nX-T: v\r\n\r\n')}GET /next HTTP/1.1\r\n${HOST}\r\n`,
    'latin1',
  );
  const client = await stage.connect();
  const known = stage.upstream.requests.length;
  for (const byte of bytes) {
    client.send(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(await client.until((c) => c.responses.filter((r) => r.complete).length === 2));
  client.close();
  assert.deepEqual(
    stage.upstream.requests.slice(known).map((r) => [r.startLine.split(' ')[1], r.body.toString()]),
    [
      ['/c', 'hello'],
      ['/next', ''],
    ],
  );
});

test('nothing of all this left anything upstream that could be read in two ways', () => {
  const unfinished = stage.faults().filter((fault) => !fault.startsWith('an unfinished'));
  assert.deepEqual(unfinished, []);
  assert.equal(stage.upstream.requests.filter((r) => r.startLine.includes('/smuggled')).length, 0);
});
