import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { statusOf, values } from '../fixtures/raw-client.ts';
import { Stage } from './stage.ts';

/** Items 5, 6, 8, 9, 10: what a request's head may be, and how much of it. */

let stage: Stage;
before(async () => {
  stage = await Stage.open({
    listener: { limits: { headers: 100, headerBytes: '32kB', bodyBytes: '100kB' } },
  });
});
after(() => stage.close());

const HOST = 'Host: a.test\r\n';
const get = (fields: string, target = '/c'): string => `GET ${target} HTTP/1.1\r\n${fields}\r\n`;

const REFUSED: readonly (readonly [name: string, bytes: string, statuses?: readonly number[]])[] = [
  // 5: counts
  ['101 fields', get(HOST + 'X-A: b\r\n'.repeat(100)), [431]],
  ['2,000 fields', get(`${HOST}${'A: b\r\n'.repeat(2000)}`), [431]],
  [
    'a length behind 2,000 fields',
    `POST /c HTTP/1.1\r\n${HOST}${'A: b\r\n'.repeat(2000)}Content-Length: 5\r\n\r\nhello`,
    [431],
  ],
  [
    'a coding behind 2,000 fields',
    `POST /c HTTP/1.1\r\n${HOST}${'A: b\r\n'.repeat(2000)}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    [431],
  ],
  // 6: NUL, bare CR, bare LF, other controls
  ['NUL in the method', `GE\x00T /c HTTP/1.1\r\n${HOST}\r\n`],
  ['NUL in the target', get(HOST, '/c\x00d')],
  ['NUL in a name', get(`${HOST}X-\x00A: b\r\n`)],
  ['NUL in a value', get(`${HOST}X-A: b\x00c\r\n`)],
  ['bare CR in a value', get(`${HOST}X-A: b\rc\r\n`)],
  ['bare CR before a name', get(`${HOST}\rX-A: b\r\n`)],
  ['bare CR as line end', `GET /c HTTP/1.1\r${HOST}\r\n`],
  ['CR CR LF as line end', `GET /c HTTP/1.1\r\r\n${HOST}\r\n`],
  ['bare LF after the request line', `GET /c HTTP/1.1\n${HOST}\r\n`],
  ['bare LF after a field', `GET /c HTTP/1.1\r\nHost: a.test\nX-A: b\r\n\r\n`],
  ['bare LF as the empty line', `GET /c HTTP/1.1\r\n${HOST}\n`],
  ['bare LF everywhere', 'GET /c HTTP/1.1\nHost: a.test\n\n'],
  ['vertical tab in a value', get(`${HOST}X-A: b\x0bc\r\n`)],
  ['form feed in a value', get(`${HOST}X-A: b\x0cc\r\n`)],
  ['escape in a value', get(`${HOST}X-A: \x1b[2J\r\n`)],
  ['DEL in a value', get(`${HOST}X-A: b\x7f\r\n`)],
  ['backspace in a value', get(`${HOST}X-A: b\x08\r\n`)],
  // 8: Host
  ['no Host', get('X-A: b\r\n')],
  ['no Host, HTTP/1.0', 'GET /c HTTP/1.0\r\n\r\n'],
  ['two Hosts', get('Host: a.test\r\nHost: b.test\r\n')],
  ['two equal Hosts', get('Host: a.test\r\nHost: a.test\r\n')],
  ['Host and HOST', get('Host: a.test\r\nHOST: b.test\r\n')],
  ['Host twice with others between', get(`Host: a.test\r\n${'X-A: b\r\n'.repeat(20)}hOsT: b.test\r\n`)],
  ['a list of hosts', get('Host: a.test, b.test\r\n')],
  ['empty Host', get('Host: \r\n')],
  ['Host with user information', get('Host: user@a.test\r\n')],
  ['Host with a path', get('Host: a.test/admin\r\n')],
  ['Host with a query', get('Host: a.test?b\r\n')],
  ['Host with a fragment', get('Host: a.test#b\r\n')],
  ['Host with a backslash', get('Host: a.test\\b\r\n')],
  ['Host with a space', get('Host: a.test b.test\r\n')],
  ['Host with a tab', get('Host: a.test\tb.test\r\n')],
  ['Host with a bad port', get('Host: a.test:8o\r\n')],
  ['Host with a port over 65535', get('Host: a.test:65536\r\n')],
  ['Host with two ports', get('Host: a.test:80:80\r\n')],
  ['Host with an open bracket', get('Host: [::1\r\n')],
  ['Host with bytes over 127', get('Host: \xe4.test\r\n')],
  ['Host with a percent sequence', get('Host: a%2etest\r\n')],
  ['Host with a quote', get('Host: "a.test"\r\n')],
  ['Host under an underscore lookalike', get('Host: a.test\r\nHo_st: b.test\r\n'), [400]],
  ['absolute-form with another Host', get(HOST, 'http://b.test/c')],
  ['absolute-form with another port', get(HOST, 'http://a.test:81/c')],
  ['absolute-form with user information', get(HOST, 'http://user@a.test/c')],
  ['absolute-form without Host', get('', 'http://a.test/c')],
  ['absolute-form without authority', get(HOST, 'http:///c')],
  ['another scheme', get(HOST, 'gopher://a.test/c')],
  ['a scheme that is code', get(HOST, 'javascript:alert(1)')],
  ['authority-form with GET', get(HOST, 'a.test:80')],
  ['asterisk-form with GET', get(HOST, '*')],
  ['a target without a slash', get(HOST, 'c')],
  ['a target that is a query', get(HOST, '?c')],
  // 9: folds and blanks
  ['obs-fold', get(`${HOST}X-A: b\r\n c\r\n`)],
  ['obs-fold with a tab', get(`${HOST}X-A: b\r\n\tc\r\n`)],
  ['obs-fold of nothing', get(`${HOST}X-A: b\r\n \r\n`)],
  ['a fold as the first line', `GET /c HTTP/1.1\r\n X-A: b\r\n${HOST}\r\n`],
  ['a space before the colon', get(`${HOST}X-A : b\r\n`)],
  ['a tab before the colon', get(`${HOST}X-A\t: b\r\n`)],
  ['a space in a name', get(`${HOST}X A: b\r\n`)],
  ['no colon', get(`${HOST}X-A\r\n`)],
  ['an empty name', get(`${HOST}: b\r\n`)],
  ['a name with a bracket', get(`${HOST}X[A]: b\r\n`)],
  ['a name with a byte over 127', get(`${HOST}X-\xe4: b\r\n`)],
  ['a name in parentheses', get(`${HOST}(X): b\r\n`)],
  ['a quoted name', get(`${HOST}"X": b\r\n`)],
  ['a name with a slash', get(`${HOST}X/A: b\r\n`)],
  // The request line
  ['two spaces after the method', `GET  /c HTTP/1.1\r\n${HOST}\r\n`],
  ['two spaces before the version', `GET /c  HTTP/1.1\r\n${HOST}\r\n`],
  ['a tab in the request line', `GET\t/c\tHTTP/1.1\r\n${HOST}\r\n`],
  ['a space at the end of the request line', `GET /c HTTP/1.1 \r\n${HOST}\r\n`],
  ['a space before the method', ` GET /c HTTP/1.1\r\n${HOST}\r\n`],
  ['a space in the target', `GET /c d HTTP/1.1\r\n${HOST}\r\n`],
  ['a no-break space in the target', get(HOST, '/c\xa0d')],
  ['raw UTF-8 in the target', get(HOST, '/caf\xc3\xa9')],
  ['overlong UTF-8 in the target', get(HOST, '/\xc0\xaf')],
  ['a fragment in the target', get(HOST, '/c#d')],
  ['no version', `GET /c\r\n${HOST}\r\n`],
  ['HTTP/0.9', 'GET /c\r\n\r\n'],
  ['HTTP/1', `GET /c HTTP/1\r\n${HOST}\r\n`],
  ['HTTP/1.10', `GET /c HTTP/1.10\r\n${HOST}\r\n`],
  ['HTTP/01.1', `GET /c HTTP/01.1\r\n${HOST}\r\n`],
  ['HTTP/1,1', `GET /c HTTP/1,1\r\n${HOST}\r\n`],
  ['http/1.1', `GET /c http/1.1\r\n${HOST}\r\n`],
  ['HTTP/2.0', `GET /c HTTP/2.0\r\n${HOST}\r\n`, [400, 505]],
  ['HTTP/1.2', `GET /c HTTP/1.2\r\n${HOST}\r\n`, [400, 505]],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400, 501, 505]],
  ['a method in lower case', `get /c HTTP/1.1\r\n${HOST}\r\n`, [400, 405, 501]],
  ['a method with a bracket', `G[T /c HTTP/1.1\r\n${HOST}\r\n`],
  ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
  // 10: sizes
  ['a target of 16 kB', get(HOST, `/${'a'.repeat(16_384)}`), [414]],
  ['a target of 100 kB', get(HOST, `/${'a'.repeat(100_000)}`), [414, 431]],
  ['a field of 40 kB', get(`${HOST}X-A: ${'b'.repeat(40_000)}\r\n`), [431]],
  ['fields of 40 kB together', get(`${HOST}${`X-A: ${'b'.repeat(990)}\r\n`.repeat(40)}`), [431]],
  ['a field that never ends', `GET /c HTTP/1.1\r\n${HOST}X-A: ${'b'.repeat(200_000)}`, [431]],
  ['a method that never ends', 'A'.repeat(200_000), [400, 414, 431, 501]],
  ['a length over the limit', `POST /c HTTP/1.1\r\n${HOST}Content-Length: 100001\r\n\r\n`, [413]],
];

describe('items 5, 6, 8, 9, 10: a head that is not exactly HTTP/1.1, or too large, is refused', () => {
  for (const [name, bytes, statuses = [400]] of REFUSED) {
    test(name, async () => {
      const outcome = await stage.send(bytes, { closes: true });
      assert.equal(outcome.statuses.length, 1, `answers: ${outcome.statuses}`);
      assert.ok(statuses.includes(outcome.statuses[0]), `status ${outcome.statuses[0]}`);
      assert.ok(outcome.closed, 'the connection stays open');
      assert.equal(outcome.bytes, '', 'something reached the upstream');
    });
  }
});

test('item 5: exactly 100 fields all arrive, in order', async () => {
  const names = Array.from({ length: 99 }, (_, i) => `X-Field-${i}`);
  const outcome = await stage.send(get(HOST + names.map((name, i) => `${name}: ${i}\r\n`).join('')));
  assert.deepEqual(outcome.statuses, [200]);
  const arrived = outcome.forwarded[0].fields.filter(([name]) => name.startsWith('X-Field-'));
  assert.deepEqual(
    arrived.map(([name, value]) => `${name}: ${value}`),
    names.map((name, i) => `${name}: ${i}`),
  );
});

test('item 10: a chunked body over the limit is cut off with 413 and never whole upstream', async () => {
  const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
  const outcome = await stage.send(
    `POST /c HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(8)}0\r\n\r\n`,
    { closes: true },
  );
  assert.deepEqual(outcome.statuses, [413]);
  assert.ok(outcome.closed);
  assert.deepEqual(outcome.forwarded, []);
});

const ACCEPTED: readonly (readonly [name: string, bytes: string, target: string])[] = [
  ['bytes over 127 in a value', get(`${HOST}X-A: caf\xe9\r\n`), '/c'],
  ['a tab in a value', get(`${HOST}X-A: b\tc\r\n`), '/c'],
  ['an empty value', get(`${HOST}X-A:\r\n`), '/c'],
  ['no blank after the colon', get('Host:a.test\r\n'), '/c'],
  ['Host with a port', get('Host: a.test:8080\r\n'), '/c'],
  ['Host as an IPv6 address', get('Host: [2001:db8::1]:80\r\n'), '/c'],
  ['absolute-form equal to Host', get(HOST, 'http://a.test/c?d=e'), '/c?d=e'],
  ['absolute-form without a path', get(HOST, 'http://a.test'), '/'],
  [
    'a query with every legal byte',
    get(HOST, "/c?a=b&c[]=d|e'(f)*g;h:i@j/k?l$m+n,o~"),
    "/c?a=b&c[]=d|e'(f)*g;h:i@j/k?l$m+n,o~",
  ],
];

describe('what RFC 9112 allows comes through, in origin-form and with its values untouched', () => {
  for (const [name, bytes, target] of ACCEPTED) {
    test(name, async () => {
      const outcome = await stage.send(bytes);
      assert.deepEqual(outcome.statuses, [200]);
      assert.equal(outcome.forwarded.length, 1);
      assert.equal(outcome.forwarded[0].startLine, `GET ${target} HTTP/1.1`);
      assert.equal(values(outcome.forwarded[0], 'host').length, 1);
      const sent = /X-A:[ ]?([^\r]*)/.exec(bytes)?.[1];
      if (sent !== undefined) assert.deepEqual(values(outcome.forwarded[0], 'x-a'), [sent]);
    });
  }
});

test('a refusal never shows the request or the inside of the gateway', async () => {
  const outcome = await stage.send(get(`${HOST}X-A: <script>secret\x00\r\n`));
  const text = outcome.answers[0].body.toString('latin1');
  assert.equal(statusOf(outcome.answers[0]), 400);
  assert.ok(!text.includes('script') && !text.includes('secret') && !text.includes('.ts:'), text);
  assert.deepEqual(values(outcome.answers[0], 'content-type'), ['application/problem+json']);
});

test('nothing of all this left anything upstream that could be read in two ways', () => {
  assert.deepEqual(
    stage.faults().filter((fault) => !fault.startsWith('an unfinished')),
    [],
  );
});
