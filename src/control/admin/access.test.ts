import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorCode } from '../../errors.ts';
import { createAccessCheck } from './access.ts';
import { FailureThrottle } from './failure-throttle.ts';

test('only believed names are answered (DNS rebinding)', () => {
  const bad = 'bad-host';
  const cases: [bound: string, hosts: string[], expected: ErrorCode | undefined][] = [
    ['127.0.0.1', ['evil.example'], bad],
    ['127.0.0.1', ['evil.example:8090'], bad],
    ['127.0.0.1', ['localhost.evil.example'], bad],
    ['127.0.0.1', ['127.0.0.1.evil.example'], bad],
    ['127.0.0.1', ['127.0.0.1@evil.example'], bad],
    ['127.0.0.1', ['localhost:8090/evil'], bad],
    ['127.0.0.1', ['localhost:'], bad],
    ['127.0.0.1', [' localhost'], bad],
    ['127.0.0.1', ['10.0.0.1'], bad],
    ['127.0.0.1', [''], bad],
    ['127.0.0.1', [], bad],
    ['127.0.0.1', ['localhost', 'evil.example'], bad],
    ['127.0.0.1', ['localhost', 'localhost'], bad],
    ['0.0.0.0', ['evil.example'], bad],
    ['0.0.0.0', ['[::1].evil.example'], bad],
    ['0.0.0.0', ['999.1.1.1'], bad],
    ['127.0.0.1', ['localhost'], undefined],
    ['127.0.0.1', ['LOCALHOST:1234'], undefined],
    ['127.0.0.1', ['127.0.0.1:8090'], undefined],
    ['::1', ['[::1]:8090'], undefined],
    ['127.0.0.1', ['Admin.Example:8090'], undefined],
    ['0.0.0.0', ['10.0.0.1:8090'], undefined],
    ['0.0.0.0', ['[2001:db8::1]:8090'], undefined],
    ['0.0.0.0', ['admin.example'], undefined],
  ];
  for (const [bound, hosts, expected] of cases) {
    const check = createAccessCheck(bound, ['admin.example']);
    assert.equal(check({ hosts, origin: undefined }), expected, `${bound} ${hosts.join()}`);
  }
});

test('a page of another origin is refused', () => {
  const check = createAccessCheck('127.0.0.1');
  const cases: [string, ErrorCode | undefined][] = [
    ['http://evil.example', 'origin-denied'],
    ['null', 'origin-denied'],
    ['', 'origin-denied'],
    ['http://localhost:3000', 'origin-denied'],
    ['http://127.0.0.1:8090', 'origin-denied'],
    ['http://localhost:8090.evil.example', 'origin-denied'],
    ['http://localhost:8090', undefined],
    ['https://localhost:8090', undefined],
  ];
  for (const [origin, expected] of cases) {
    assert.equal(check({ hosts: ['localhost:8090'], origin }), expected, origin);
  }
});

function makeThrottle() {
  const time = { nowMs: 0 };
  const clock = { now: () => time.nowMs, monotonic: () => time.nowMs };
  return { time, throttle: new FailureThrottle(clock) };
}

test('wrong tokens wait longer and longer, up to a minute', () => {
  const { time, throttle } = makeThrottle();
  for (let i = 0; i < 5; i++) assert.equal(throttle.fail('a'), 0);
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    const waitMs = throttle.fail('a');
    waits.push(waitMs);
    time.nowMs += waitMs;
    assert.equal(throttle.fail('a'), 0);
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
});

test('waiting is by address, and over with the right token', () => {
  const { throttle } = makeThrottle();
  for (let i = 0; i < 6; i++) throttle.fail('a');
  assert.ok(throttle.fail('a') > 0);
  assert.equal(throttle.fail('b'), 0);
  throttle.forget('a');
  assert.equal(throttle.fail('a'), 0);
});

test('many addresses do not fill the memory: the oldest is forgotten', () => {
  const { throttle } = makeThrottle();
  for (let i = 0; i < 6; i++) throttle.fail('first');
  for (let i = 0; i < 999; i++) throttle.fail(`address ${i}`);
  assert.ok(throttle.fail('first') > 0);
  throttle.fail('one more');
  assert.equal(throttle.fail('first'), 0);
});
