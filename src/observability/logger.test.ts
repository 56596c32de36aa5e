import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger, type LogLevel } from './logger.ts';
import { REDACTED, redact, redactText } from './redact.ts';

const clock = { now: () => Date.UTC(2026, 10, 23), monotonic: () => 0 };

function logged(fields: Record<string, unknown>, level?: LogLevel): string[] {
  const lines: string[] = [];
  const options = { write: (line: string) => void lines.push(line), clock, fields: { worker: 1 } };
  const log = createLogger(level === undefined ? options : { ...options, level });
  log.info('started', fields);
  log.error('failed', fields);
  return lines;
}

test('secrets are hidden by the name of their field', () => {
  const names = [
    'authorization',
    'Proxy-Authorization',
    'cookie',
    'set-cookie',
    'adminToken',
    'access_token',
    'clientSecret',
    'api_key',
    'apiKey',
    'x-api-key',
    'password',
    'privateKey',
  ];
  for (const name of names) {
    assert.deepEqual(redact({ deep: [{ [name]: 'hunter2' }] }), { deep: [{ [name]: REDACTED }] }, name);
    assert.deepEqual(redact({ [name]: { inner: 'hunter2' } }), { [name]: REDACTED }, name);
  }
});

test('secrets are hidden by their shape', () => {
  const secret = 'Zm9vYmFyYmF6cXV4MTIz';
  const texts = [
    `Authorization: Bearer ${secret}`,
    `basic ${secret}`,
    `eyJhbGciOiJIUzI1NiJ9.${secret}.x`,
    `sk-${secret}`,
    `spk_${secret}`,
    `spp_${secret}`,
    `sps_${secret}`,
    `postgres://user:${secret}@db/x`,
    `GET /a?b=1&access_token=${secret}&c=2`,
    `POST grant_type=x&client_secret=${secret}&refresh_token=${secret}&code_verifier=${secret}`,
    `GET /end?id_token_hint=${secret}`,
    `-----BEGIN EC PRIVATE KEY-----\n${secret}\n-----END EC PRIVATE KEY-----`,
  ];
  for (const text of texts) {
    assert.ok(!redactText(text).includes(secret), text);
    assert.ok(!JSON.stringify(redact(new Error(text, { cause: new Error(text) }))).includes(secret), text);
  }
  assert.ok(redactText('GET /a?b=1&access_token=x&c=2').endsWith('&c=2'));
});

test('ordinary fields stay readable', () => {
  const fields = { port: 8080, path: '/orders/1?page=2', message: 'unknown key rate_limit', when: null };
  assert.deepEqual(redact(fields), fields);
});

test('a line is JSON with time, level and event, which no field can replace', () => {
  const [line] = logged({ port: 1, level: 'none', event: 'forged', time: 0 });
  const expected = { time: '2026-11-23T00:00:00.000Z', level: 'info', event: 'started', worker: 1, port: 1 };
  assert.deepEqual(JSON.parse(line), expected);
  assert.ok(line.startsWith('{"time"'));
});

test('one event is one line without control characters', () => {
  for (const line of logged({ text: 'a\n{"event":"forged"}\u001b[2J\u009b2J\u2028\u007f' })) {
    assert.doesNotMatch(line.slice(0, -1), /[\u0000-\u001f\u007f-\u009f\u2028]/);
    assert.ok(line.endsWith('}\n'));
  }
});

test('levels below the asked one are left out', () => {
  assert.equal(logged({}, 'error').length, 1);
});

test('nothing that is logged makes logging throw', () => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const hostile = {
    get boom(): never {
      throw new Error('boom');
    },
  };
  const values = [
    circular,
    hostile,
    10n,
    Symbol('s'),
    () => 1,
    new Date(Number.NaN),
    new Uint8Array(9),
    { toJSON: 1 },
  ];
  for (const value of values) assert.equal(logged({ value }).length, 2);
  assert.ok(logged({ value: circular })[0].length < 1000);
  assert.ok(logged({ value: 'x'.repeat(1e6) })[0].length < 5000);
  assert.ok(logged({ value: Array.from({ length: 1e5 }, () => 1) })[0].length < 1000);
});

test('an error is logged with name, code and message, without a stack', () => {
  const error = Object.assign(new RangeError('out of reach'), { code: 'EX' });
  assert.deepEqual(redact(error), { name: 'RangeError', code: 'EX', message: 'out of reach' });
});
