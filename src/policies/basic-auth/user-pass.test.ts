import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_CREDENTIALS_LENGTH, readUserPass } from './user-pass.ts';

const base64 = (text: string | Uint8Array) => Buffer.from(text).toString('base64');

describe('credentials are refused', () => {
  const cases: readonly [name: string, credentials: string, reason: RegExp][] = [
    ['that are nothing', '', /colon/],
    ['without a colon', base64('ann'), /colon/],
    ['without a user', base64(':secret'), /no user/],
    ['that are no base64', 'ann:secret', /base64/],
    ['in base64url', base64('ann:\u00ff\u00fe?>~').replaceAll('+', '-').replaceAll('/', '_'), /base64/],
    ['without padding', base64('ann:secrets').replace(/=+$/, ''), /base64/],
    ['with padding too many', `${base64('ann:abcde')}==`, /base64/],
    ['with a space inside', base64('ann:secret').replace('5', ' 5'), /base64/],
    ['with two values', `${base64('ann:a')}, ${base64('ben:b')}`, /base64/],
    ['in Latin-1', base64(Buffer.from('ann:caf\u00e9', 'latin1')), /UTF-8/],
    ['in overlong UTF-8', base64(Buffer.from([0x61, 0xc0, 0xba, 0x62])), /UTF-8/],
    ['with a surrogate', base64(Buffer.from([0x61, 0x3a, 0xed, 0xa0, 0x80])), /UTF-8/],
    ['with a NUL', base64('ann\u0000:secret'), /control/],
    ['with a line end', base64('ann:secret\n'), /control/],
    ['with a C1 control', base64('ann:\u0085'), /control/],
    ['without end', base64(`ann:${'x'.repeat(MAX_CREDENTIALS_LENGTH)}`), /too long/],
  ];
  for (const [name, credentials, reason] of cases) {
    it(name, () => {
      const read = readUserPass(credentials);
      assert.ok(typeof read === 'string', JSON.stringify(read));
      assert.match(read, reason);
      assert.doesNotMatch(read, /ann|secret/);
    });
  }

  it('in a second spelling of the same bytes', () => {
    assert.deepEqual(readUserPass('YTpi'), { user: 'a', password: 'b' });
    assert.deepEqual(readUserPass('YTpiYw=='), { user: 'a', password: 'bc' });
    for (const other of ['YTpiYx==', 'YTpiYw', 'YTpiYw=', 'YTpiYw===', 'YTpi Yw==', 'YTpiYw==\t']) {
      assert.equal(typeof readUserPass(other), 'string', other);
    }
  });
});

describe('credentials are read', () => {
  const cases: readonly [text: string, user: string, password: string][] = [
    ['ann:secret', 'ann', 'secret'],
    ['ann:', 'ann', ''],
    ['ann:a:b:', 'ann', 'a:b:'],
    ['J\u00fcrgen Sch:p\u00e4ss \u{1f511}', 'J\u00fcrgen Sch', 'p\u00e4ss \u{1f511}'],
    ['\ufeffann:x', '\ufeffann', 'x'],
  ];
  for (const [text, user, password] of cases) {
    it(JSON.stringify(text), () => assert.deepEqual(readUserPass(base64(text)), { user, password }));
  }
});
