import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RequestError } from '../errors.ts';
import { faultInPartialHead, findHeadEnd } from './fields.ts';
import { parseContentLength, parseRequestHead, RequestHead } from './request-head.ts';

const LIMITS = { headers: 4, targetBytes: 64 };

function parse(text: string): RequestHead | RequestError {
  const bytes = Buffer.from(`${text}\r\n\r\n`, 'latin1');
  return parseRequestHead(bytes, 0, bytes.length, LIMITS);
}

function reasonOf(text: string): string {
  const head = parse(text);
  return head instanceof RequestError ? `${head.code} ${head.reason}` : 'accepted';
}

function accepted(text: string): RequestHead {
  const head = parse(text);
  assert.ok(head instanceof RequestHead, head instanceof RequestError ? head.reason : '');
  return head;
}

const line = (text: string): string => `${text}\r\nHost: a.example`;
const field = (text: string): string => `GET / HTTP/1.1\r\nHost: a.example\r\n${text}`;

describe('refused, by reason', () => {
  const cases: [name: string, head: string, outcome: string][] = [
    ['method: none', line(' / HTTP/1.1'), 'malformed-request method'],
    ['method: bad character', line('GE(T / HTTP/1.1'), 'malformed-request method'],
    ['method: a tab behind it', line('GET\t/ HTTP/1.1'), 'malformed-request method'],
    ['method: unknown', line('BREW / HTTP/1.1'), 'method-not-implemented method'],
    ['method: lower case', line('get / HTTP/1.1'), 'method-not-implemented method'],
    ['target: none', line('GET  HTTP/1.1'), 'malformed-request target'],
    ['target: a space', line('GET /a b HTTP/1.1'), 'malformed-request version'],
    ['target: two spaces', line('GET /  HTTP/1.1'), 'malformed-request version'],
    ['target: a fragment', line('GET /a#b HTTP/1.1'), 'malformed-request target'],
    ['target: a byte above 127', line('GET /\xe9 HTTP/1.1'), 'malformed-request target'],
    ['target: a control', line('GET /\x01 HTTP/1.1'), 'malformed-request target'],
    ['target: no slash', line('GET a HTTP/1.1'), 'malformed-request target'],
    ['target: asterisk with GET', line('GET * HTTP/1.1'), 'malformed-request target'],
    ['target: CONNECT', line('CONNECT a.example:443 HTTP/1.1'), 'malformed-request target'],
    ['target: another scheme', line('GET ftp://a.example/ HTTP/1.1'), 'malformed-request target'],
    ['target: user information', line('GET http://u@a.example/ HTTP/1.1'), 'malformed-request target'],
    ['target: no authority', line('GET http:///x HTTP/1.1'), 'malformed-request target'],
    ['target: too long', line(`GET /${'a'.repeat(64)} HTTP/1.1`), 'uri-too-long target-too-long'],
    ['version: none', line('GET /'), 'malformed-request target'],
    ['version: lower case', line('GET / http/1.1'), 'malformed-request version'],
    ['version: short', line('GET / HTTP/1'), 'malformed-request version'],
    ['version: 2.0', line('GET / HTTP/2.0'), 'http-version-not-supported version'],
    ['version: 1.2', line('GET / HTTP/1.2'), 'http-version-not-supported version'],
    ['start line: a space at its end', line('GET / HTTP/1.1 '), 'malformed-request start-line'],
    ['start line: three digits', line('GET / HTTP/1.10'), 'malformed-request start-line'],
    ['bare LF: start line', 'GET / HTTP/1.1\nHost: a.example', 'malformed-request bare-lf'],
    ['bare LF: behind the target', line('GET /\n'), 'malformed-request bare-lf'],
    ['bare LF: in a value', field('A: b\nC: d'), 'malformed-request bare-lf'],
    ['bare LF: in a name', field('A\nB: d'), 'malformed-request bare-lf'],
    ['bare CR: start line', 'GET / HTTP/1.1\rHost: a.example', 'malformed-request bare-cr'],
    ['bare CR: in a value', field('A: b\rc'), 'malformed-request bare-cr'],
    ['bare CR: where a field begins', field('\rA: b'), 'malformed-request bare-cr'],
    ['folded by a space', field('A: b\r\n c'), 'malformed-request obs-fold'],
    ['folded by a tab', field('A: b\r\n\tc'), 'malformed-request obs-fold'],
    ['folded first line', 'GET / HTTP/1.1\r\n Host: a.example', 'malformed-request obs-fold'],
    ['name: empty', field(': b'), 'malformed-request field-name'],
    ['name: no colon', field('A'), 'malformed-request field-name'],
    ['name: bad character', field('A(: b'), 'malformed-request field-name'],
    ['name: a byte above 127', field('\xc1: b'), 'malformed-request field-name'],
    ['name: NUL', field('A\0: b'), 'malformed-request field-name'],
    ['space before the colon', field('A : b'), 'malformed-request space-before-colon'],
    ['tab before the colon', field('A\t: b'), 'malformed-request space-before-colon'],
    ['value: NUL', field('A: b\0c'), 'malformed-request field-value'],
    ['value: DEL', field('A: b\x7fc'), 'malformed-request field-value'],
    ['value: escape', field('A: \x1b[0m'), 'malformed-request field-value'],
    ['too many fields', field('A: 1\r\nB: 2\r\nC: 3\r\nD: 4'), 'headers-too-large too-many-fields'],
    ['no Host', 'GET / HTTP/1.1\r\nA: b', 'bad-host host-missing'],
    ['no Host in 1.0', 'GET / HTTP/1.0\r\nA: b', 'bad-host host-missing'],
    ['two Hosts', field('Host: b.example'), 'bad-host host-repeated'],
    ['two equal Hosts', field('host: a.example'), 'bad-host host-repeated'],
    [
      'absolute-form against Host',
      line('GET http://b.example/ HTTP/1.1'),
      'malformed-request absolute-form-mismatch',
    ],
    [
      'absolute-form against its port',
      line('GET http://a.example:80/ HTTP/1.1'),
      'malformed-request absolute-form-mismatch',
    ],
    ['length: empty', field('Content-Length:'), 'ambiguous-framing content-length'],
    ['length: signed', field('Content-Length: +1'), 'ambiguous-framing content-length'],
    ['length: negative', field('Content-Length: -1'), 'ambiguous-framing content-length'],
    ['length: hexadecimal', field('Content-Length: 0x1'), 'ambiguous-framing content-length'],
    ['length: a list', field('Content-Length: 5, 5'), 'ambiguous-framing content-length'],
    ['length: inner space', field('Content-Length: 1 0'), 'ambiguous-framing content-length'],
    ['length: 2^53', field('Content-Length: 9007199254740992'), 'ambiguous-framing content-length'],
    ['length: superscript digit', field('Content-Length: \xb2'), 'ambiguous-framing content-length'],
    [
      'length: twice the same',
      field('Content-Length: 5\r\nContent-Length: 5'),
      'ambiguous-framing content-length-repeated',
    ],
    [
      'length: two lengths',
      field('Content-Length: 5\r\ncontent-length: 6'),
      'ambiguous-framing content-length-repeated',
    ],
    ['coding: another', field('Transfer-Encoding: gzip'), 'ambiguous-framing transfer-encoding'],
    ['coding: a list', field('Transfer-Encoding: gzip, chunked'), 'ambiguous-framing transfer-encoding'],
    [
      'coding: twice',
      field('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked'),
      'ambiguous-framing transfer-encoding',
    ],
    [
      'coding: identity after it',
      field('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity'),
      'ambiguous-framing transfer-encoding',
    ],
    ['coding: a parameter', field('Transfer-Encoding: chunked;a=b'), 'ambiguous-framing transfer-encoding'],
    ['coding: quoted', field('Transfer-Encoding: "chunked"'), 'ambiguous-framing transfer-encoding'],
    ['coding: vertical tab', field('Transfer-Encoding: \x0bchunked'), 'malformed-request field-value'],
    [
      'coding: no-break space',
      field('Transfer-Encoding: \xa0chunked'),
      'ambiguous-framing transfer-encoding',
    ],
    ['coding: empty', field('Transfer-Encoding:'), 'ambiguous-framing transfer-encoding'],
    [
      'coding in 1.0',
      'GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked',
      'ambiguous-framing transfer-encoding-version',
    ],
    [
      'length and chunked',
      field('Content-Length: 5\r\nTransfer-Encoding: chunked'),
      'ambiguous-framing length-and-chunked',
    ],
    [
      'chunked and length',
      field('Transfer-Encoding: chunked\r\nContent-Length: 5'),
      'ambiguous-framing length-and-chunked',
    ],
    // To a hop in front these are any headers; to a server that folds "_" they are the framing.
    ['length with an underscore', field('Content_Length: 5'), 'ambiguous-framing content-length'],
    ['coding with an underscore', field('Transfer_Encoding: chunked'), 'ambiguous-framing transfer-encoding'],
  ];
  for (const [name, head, outcome] of cases) it(name, () => assert.equal(reasonOf(head), outcome));
});

describe('accepted, next to what is refused', () => {
  it('a plain request', () => {
    const head = accepted('GET /a?b=c HTTP/1.1\r\nHost: A.example:80\r\nX-A:  v  w \t');
    assert.equal(head.method, 'GET');
    assert.equal(head.target, '/a?b=c');
    assert.equal(head.minor, 1);
    assert.equal(head.authority, 'A.example:80');
    assert.deepEqual(head.headers.flat, ['Host', 'A.example:80', 'X-A', 'v  w']);
    assert.equal(head.kinds.length, 2);
    assert.equal(head.hasBody, false);
  });
  it('as many fields as allowed', () =>
    assert.equal(accepted(field('A: 1\r\nB: 2\r\nC: 3')).headers.size, 4));
  it('a target as long as allowed', () => void accepted(line(`GET /${'a'.repeat(63)} HTTP/1.1`)));
  it('an empty value, tabs and bytes above 127', () => {
    assert.deepEqual(accepted(field('A:\r\nB: \t\r\nC: \xe9\tx')).headers.flat.slice(2), [
      'A',
      '',
      'B',
      '',
      'C',
      '\xe9\tx',
    ]);
  });
  it('asterisk with OPTIONS', () => assert.equal(accepted(line('OPTIONS * HTTP/1.1')).target, '*'));
  for (const [target, origin] of [
    ['http://a.example', '/'],
    ['HTTP://A.EXAMPLE/x', '/x'],
    ['https://a.example/x?y', '/x?y'],
    ['http://a.example?y=/z', '/?y=/z'],
  ]) {
    it(`absolute-form ${target}`, () =>
      assert.equal(accepted(line(`GET ${target} HTTP/1.1`)).target, origin));
  }
  it('a length in digits, zeros in front', () => {
    assert.equal(accepted(field('Content-Length: 0042')).contentLength, 42);
    assert.equal(accepted(field('Content-Length: 9007199254740991')).contentLength, Number.MAX_SAFE_INTEGER);
  });
  it('an explicit zero is no body', () => assert.equal(accepted(field('Content-Length: 0')).hasBody, false));
  it('chunked in any case', () => assert.equal(accepted(field('transfer-encoding: ChunKed')).chunked, true));
  it('other names with underscores, for the listener to judge', () => void accepted(field('X_A: b')));
});

describe('whether the connection is kept', () => {
  const cases: [version: string, connection: string, kept: boolean][] = [
    ['1.1', '', true],
    ['1.1', 'Connection: close', false],
    ['1.1', 'Connection: x, CLOSE', false],
    ['1.1', 'Connection: keep-alive\r\nConnection: close', false],
    ['1.0', '', false],
    ['1.0', 'Connection: Keep-Alive', true],
    ['1.0', 'Connection: keep-alive, close', false],
  ];
  for (const [version, connection, kept] of cases) {
    it(`${version} ${connection}`, () => {
      const end = connection === '' ? '' : `\r\n${connection}`;
      assert.equal(accepted(`GET / HTTP/${version}\r\nHost: a${end}`).keepAlive, kept);
    });
  }
});

describe('parseContentLength', () => {
  for (const text of ['', ' 1', '1 ', '1.0', '1e3', '١', '00000000000000001']) {
    it(JSON.stringify(text), () => assert.equal(parseContentLength(text), -1));
  }
});

describe('a head inside a stream', () => {
  it('offsets hold anywhere', () => {
    const bytes = Buffer.from(
      'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nGETGET /y HTTP/1.1\r\nHost: b\r\n\r\nrest',
      'latin1',
    );
    const first = findHeadEnd(bytes, 0);
    const second = findHeadEnd(bytes, first + 3);
    const head = parseRequestHead(bytes, first + 3, second, LIMITS);
    assert.ok(head instanceof RequestHead);
    assert.equal(head.target, '/y');
    assert.deepEqual(head.headers.flat, ['Host', 'b']);
    assert.equal(bytes.toString('latin1', second), 'rest');
  });
  it('no end, no head', () =>
    assert.equal(findHeadEnd(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r'), 0), -1));
});

describe('faults seen before a head is whole', () => {
  const cases: [text: string, fault: string | undefined][] = [
    ['GET / HTTP/1.1\r\nHo', undefined],
    ['GET / HTTP/1.1\r', undefined],
    ['GET / HTTP/1.1\n', 'bare-lf'],
    ['\n', 'bare-lf'],
    ['GET / HTTP/1.1\rX', 'bare-cr'],
    ['GET /\0', 'field-value'],
  ];
  for (const [text, fault] of cases) {
    it(JSON.stringify(text), () => assert.equal(faultInPartialHead(Buffer.from(text, 'latin1'), 0), fault));
    it(`${JSON.stringify(text)}, byte by byte`, () => {
      let seen: string | undefined;
      for (let n = 1; n <= text.length && seen === undefined; n++) {
        seen = faultInPartialHead(Buffer.from(text.slice(0, n), 'latin1'), Math.max(0, n - 2));
      }
      assert.equal(seen, fault);
    });
  }
});
