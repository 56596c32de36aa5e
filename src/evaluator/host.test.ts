import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseHost } from './host.ts';

describe('refused', () => {
  const cases = [
    ...[
      '',
      '.',
      '..',
      'a..b',
      'a..',
      '.a',
      '-a',
      'a-',
      'a b',
      'a/b',
      'a\\b',
      'a?b',
      'a#b',
      'a@b',
      'u:p@a',
      'a%2eb',
    ],
    ...[
      'a,b',
      'é.example',
      'a\0',
      'a:',
      'a:x',
      'a:-1',
      'a: 80',
      'a:80:80',
      'a:65536',
      'a:123456',
      ':80',
      `${'a'.repeat(256)}`,
    ],
    ...[
      '[',
      '[]',
      '[::1',
      '::1',
      '[::1]x',
      '[::1]:',
      '[::1]:x',
      '[1.2.3.4]',
      '[:::]',
      '[::g]',
      '[1:2]',
      '[::1%25eth0]',
      '[.]',
      '[v1.x]',
    ],
  ];
  for (const authority of cases)
    it(JSON.stringify(authority), () => assert.equal(parseHost(authority), undefined));
});

describe('one name for each host', () => {
  const cases: [authority: string, host: string, port: string][] = [
    ['a.example', 'a.example', ''],
    ['A.Example.:8080', 'a.example', '8080'],
    ['a_b', 'a_b', ''],
    ['127.0.0.1:1', '127.0.0.1', '1'],
    ['[::1]', '[::1]', ''],
    ['[0:0::1]:443', '[::1]', '443'],
    ['[2001:DB8::1]', '[2001:db8::1]', ''],
    ['[::ffff:192.0.2.1]', '[::ffff:192.0.2.1]', ''],
    ['[::ffff:c000:201]', '[::ffff:192.0.2.1]', ''],
  ];
  for (const [authority, host, port] of cases) {
    it(authority, () => assert.deepEqual(parseHost(authority), { host, port }));
  }
});
