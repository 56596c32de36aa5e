import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseResponseHead, ResponseHead } from './response-head.ts';

function parse(text: string): ResponseHead | string {
  const bytes = Buffer.from(`${text}\r\n\r\n`, 'latin1');
  return parseResponseHead(bytes, 0, bytes.length, 3);
}

const field = (text: string): string => `HTTP/1.1 200 OK\r\n${text}`;

function accepted(text: string): ResponseHead {
  const head = parse(text);
  assert.ok(head instanceof ResponseHead, String(head));
  return head;
}

describe('refused, by fault', () => {
  const cases: [head: string, fault: string][] = [
    ['HTTP/2.0 200 OK', 'version'],
    ['http/1.1 200 OK', 'version'],
    ['HTTP/1.1', 'version'],
    ['HTTP/1.1  200 OK', 'status'],
    ['HTTP/1.1 20 OK', 'status'],
    ['HTTP/1.1 099 OK', 'status'],
    ['HTTP/1.1 600 OK', 'status'],
    ['HTTP/1.1 abc OK', 'status'],
    ['HTTP/1.1 2000 OK', 'start-line'],
    ['HTTP/1.1 200\tOK', 'start-line'],
    ['HTTP/1.1 200 O\0K', 'start-line'],
    ['HTTP/1.1 200 OK\nA: b', 'bare-lf'],
    ['HTTP/1.1 200 O\rK', 'start-line'],
    [field('A : b'), 'space-before-colon'],
    [field('A: b\r\n c'), 'obs-fold'],
    [field('A: b\nC: d'), 'bare-lf'],
    [field('A: b\rc'), 'bare-cr'],
    [field('A: b\0'), 'field-value'],
    [field('A\0: b'), 'field-name'],
    [field('A: 1\r\nA: 2\r\nA: 3\r\nA: 4'), 'too-many-fields'],
    [field('Content-Length: 5\r\nContent-Length: 5'), 'content-length-repeated'],
    [field('Content-Length: 5, 5'), 'content-length'],
    [field('Content-Length: -5'), 'content-length'],
    [field('Content_Length: 5'), 'content-length'],
    [field('Transfer-Encoding: gzip, chunked'), 'transfer-encoding'],
    [field('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked'), 'transfer-encoding'],
    [field('Transfer_Encoding: chunked'), 'transfer-encoding'],
    [field('Transfer-Encoding: chunked\r\nContent-Length: 5'), 'length-and-chunked'],
    ['HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked', 'transfer-encoding-version'],
  ];
  for (const [head, fault] of cases) it(JSON.stringify(head), () => assert.equal(parse(head), fault));
});

describe('accepted', () => {
  const cases: [line: string, status: number, reason: string][] = [
    ['HTTP/1.1 200 OK', 200, 'OK'],
    ['HTTP/1.1 200 ', 200, ''],
    ['HTTP/1.1 200', 200, ''],
    ['HTTP/1.0 404 Not  Found \xe9', 404, 'Not  Found \xe9'],
    ['HTTP/1.1 599 x', 599, 'x'],
  ];
  for (const [line, status, reason] of cases) {
    it(JSON.stringify(line), () => {
      const head = accepted(line);
      assert.deepEqual([head.status, head.reason], [status, reason]);
    });
  }
});

describe('how the body ends', () => {
  const cases: [method: string, head: string, framing: string][] = [
    ['GET', field('Content-Length: 5'), 'length'],
    ['GET', field('Content-Length: 0'), 'none'],
    ['GET', field('Transfer-Encoding: chunked'), 'chunked'],
    ['GET', 'HTTP/1.1 200 OK', 'until-close'],
    ['HEAD', field('Content-Length: 5'), 'none'],
    ['HEAD', field('Transfer-Encoding: chunked'), 'none'],
    ['GET', 'HTTP/1.1 204 x\r\nContent-Length: 5', 'none'],
    ['GET', 'HTTP/1.1 304 x\r\nContent-Length: 5', 'none'],
    ['GET', 'HTTP/1.1 103 x\r\nTransfer-Encoding: chunked', 'none'],
    ['POST', 'HTTP/1.1 205 x', 'until-close'],
  ];
  for (const [method, head, framing] of cases) {
    it(`${method} ${JSON.stringify(head)}`, () => assert.equal(accepted(head).framing(method), framing));
  }
});

describe('whether the connection may be kept', () => {
  const cases: [head: string, kept: boolean][] = [
    ['HTTP/1.1 200 OK', true],
    [field('Connection: close'), false],
    ['HTTP/1.0 200 OK', false],
    ['HTTP/1.0 200 OK\r\nConnection: keep-alive', true],
  ];
  for (const [head, kept] of cases)
    it(JSON.stringify(head), () => assert.equal(accepted(head).keepAlive, kept));
});
