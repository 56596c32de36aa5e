import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NO_CONNECTION_OPTIONS, parseConnectionOptions } from './connection-options.ts';
import { FieldKind, fieldKind } from './field-kinds.ts';
import { isFieldName, isFieldValue } from './write.ts';

describe('fieldKind', () => {
  const cases: [name: string, kind: FieldKind][] = [
    ['Host', FieldKind.HOST],
    ['content-LENGTH', FieldKind.CONTENT_LENGTH],
    ['Transfer-Encoding', FieldKind.TRANSFER_ENCODING],
    ['TE', FieldKind.HOP_BY_HOP],
    ['Proxy-Connection', FieldKind.HOP_BY_HOP],
    ['X-Forwarded-For', FieldKind.FORWARDING],
    ['X_Forwarded-For', FieldKind.FORWARDING],
    ['x_consumer_id', FieldKind.FORWARDING],
    ['X-Request_Id', FieldKind.REQUEST_ID],
    ['x-policy-revision', FieldKind.REVISION],
    ['X-Forwarded-Foo', FieldKind.FORWARDING],
    ['x_FORWARDED_user', FieldKind.FORWARDING],
    [`X-Consumer-${'a'.repeat(500)}`, FieldKind.FORWARDING],
    ['X-Authenticated-Userid', FieldKind.FORWARDING],
    ['Client-Cert', FieldKind.FORWARDING],
    ['CLIENT_cert-Chain', FieldKind.FORWARDING],
    ['X-Forwarded-Client-Cert', FieldKind.FORWARDING],
    ['Client-Certs', FieldKind.OTHER],
    ['X-Forwarded', FieldKind.OTHER],
    ['X-Forwarder-For', FieldKind.OTHER],
    ['Y-Forwarded-For', FieldKind.OTHER],
    ['CF-Connecting-IP', FieldKind.FORWARDING],
    ['X-HTTP-Method-Override', FieldKind.METHOD_OVERRIDE],
    ['x_http_method', FieldKind.METHOD_OVERRIDE],
    ['X.HTTP.Method', FieldKind.METHOD_OVERRIDE],
    ['x.consumer~id', FieldKind.FORWARDING],
    ['X!Forwarded.For', FieldKind.FORWARDING],
    ['X.Real|IP', FieldKind.FORWARDING],
    ['X.Anonymous.Consumer', FieldKind.FORWARDING],
    ['XaConsumer-ID', FieldKind.OTHER],
    ['X0Real-IP', FieldKind.OTHER],
    ['Content.Length', FieldKind.OTHER],
    ['Transfer.Encoding', FieldKind.OTHER],
    ['Proxy.Authorization', FieldKind.OTHER],
    ['X-Method-Override', FieldKind.METHOD_OVERRIDE],
    ['X-HTTP-Methods', FieldKind.OTHER],
    ['Hosts', FieldKind.OTHER],
    ['', FieldKind.OTHER],
    ['a'.repeat(500), FieldKind.OTHER],
  ];
  for (const [name, kind] of cases) it(name.slice(0, 40), () => assert.equal(fieldKind(name), kind));
});

describe('connection options', () => {
  const cases: [values: string[], options: object][] = [
    [['close'], { close: true, keepAlive: false, upgrade: false, nominated: [] }],
    [['Keep-Alive'], { close: false, keepAlive: true, upgrade: false, nominated: [] }],
    [['keep-alive, X-A ,, Upgrade'], { close: false, keepAlive: true, upgrade: true, nominated: ['x-a'] }],
    [['X-A', 'Close', 'x-b'], { close: true, keepAlive: false, upgrade: false, nominated: ['x-a', 'x-b'] }],
    [['keep-alive', 'close'], { close: true, keepAlive: true, upgrade: false, nominated: [] }],
    [['', ' , '], { close: false, keepAlive: false, upgrade: false, nominated: [] }],
    [['closed'], { close: false, keepAlive: false, upgrade: false, nominated: ['closed'] }],
  ];
  for (const [values, options] of cases) {
    it(values.join(' | '), () => {
      let seen = NO_CONNECTION_OPTIONS;
      for (const value of values) seen = parseConnectionOptions(value, seen);
      assert.deepEqual({ ...seen }, options);
    });
  }
  it('the shared constants are never changed', () => {
    const keep = parseConnectionOptions('keep-alive', NO_CONNECTION_OPTIONS);
    parseConnectionOptions('x-a', keep);
    assert.deepEqual(parseConnectionOptions('keep-alive', NO_CONNECTION_OPTIONS).nominated, []);
  });
});

describe('what may be written into a head', () => {
  for (const name of ['', 'a b', 'a:', 'a\r', 'a\n', 'é', 'a\u010d', 'a\0']) {
    it(`name ${JSON.stringify(name)} is refused`, () => assert.equal(isFieldName(name), false));
  }
  // U+010A and U+010D become LF and CR when text is written as latin1.
  for (const value of ['a\r', 'a\nb', 'a\0', 'a\x7f', 'a\u010ab', 'a\u010db', '\ud83d\ude00']) {
    it(`value ${JSON.stringify(value)} is refused`, () => assert.equal(isFieldValue(value), false));
  }
  it('tokens and latin1 pass', () => {
    assert.equal(isFieldName("X!#$%&'*+.^_`|~-1"), true);
    assert.equal(isFieldValue('a\tb \xe9'), true);
    assert.equal(isFieldValue(''), true);
  });
});
