import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bodyHoldsSecret, Redaction, type Unredacted } from '../../src/recording/index.ts';

/**
 * Spellings of secrets that no client library writes and that clients send all the same: what is looked for is a mark, and
 * it is in no part of what is recorded.
 */

const MARK = 'c0ffee5ec2e7c0ffee42';
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const base64url = (text: string): string => Buffer.from(text).toString('base64url');
const PLAIN: Unredacted = {
  requestId: '0000000000000001',
  atMs: 1,
  durationMs: 1,
  revision: 'r',
  listener: 'public',
  scheme: 'https',
  peer: '192.0.2.1',
  method: 'GET',
  target: '/a',
  httpVersion: '1.1',
  headers: [],
  body: { kind: 'none' },
  certificate: undefined,
  identity: undefined,
  outcome: undefined,
  decisions: [],
  upstream: undefined,
};

/** All that is kept of a request but for its body. */
function kept(more: Partial<Unredacted>, params: Readonly<Record<string, string>> = {}): string {
  return JSON.stringify(new Redaction().redact({ ...PLAIN, ...more }, params));
}

/** The mark, and what it is in the encodings that the cases below use. */
const TRACES = [MARK, base64(MARK).slice(2, 20), encodeURIComponent(MARK), [...MARK].join('\0')];

function isClean(text: string, secret = MARK): boolean {
  return ![...TRACES, secret].some((trace) => text.includes(trace));
}

describe('a secret in a header field', () => {
  const FIELDS: readonly (readonly [name: string, value: string])[] = [
    ['Sec-WebSocket-Protocol', `bearer, ${MARK}`],
    ['Sec-WebSocket-Protocol', `chat, access_token, ${MARK}`],
    ['Sec-WebSocket-Protocol', `v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.${MARK}`],
    ['Sec-WebSocket-Protocol', `graphql-ws, auth-${MARK}`],
    ['Authentication', MARK],
    ['X-Authentication', MARK],
    ['X-Pass', MARK],
    ['X-User-Pwd', MARK],
    ['X-Passphrase', MARK],
    ['X-Passcode', MARK],
    ['X-TOTP', '123456-totp'],
    ['X-2FA-Code', '123456-2fa'],
    ['X-MFA', '123456-mfa'],
    ['X-Bearer', MARK],
    ['X-OAuth', MARK],
    ['X-SID', MARK],
    ['X-PHPSESSID', MARK],
    ['X-XSRF', MARK],
    ['X-Hmac-Sha256', MARK],
    ['X-Ticket', MARK],
    ['X-Access-Code', MARK],
    ['grpc-metadata-authorization', MARK],
    ['Grpc-Metadata-X-Auth-Bin', base64(MARK)],
    ['X-Forwarded-Cookies', `a=b; c=${MARK}`],
    ['X-Debug', `sid=${MARK}; a=b`],
    ['X-Debug', `a=b, session_id=${MARK}`],
    ['X-Debug', `user=a&pin=${MARK}`],
    ['Referer', `https://a.test/reset-password/${MARK}`],
    ['Referer', `https://a.test/cb?session_id=${MARK}&a=1`],
    ['Referer', `https://a.test/cb?ticket=${MARK}`],
    ['Referer', `https://a.test/cb#sid=${MARK}`],
    ['Referer', `https://bucket.test/o?X-Amz-Date=1&X-Amz-Signature=${MARK}`],
    ['Referer', `https://a.test/cb?next=%2Fb%3Fsid%3D${MARK}`],
    ['Location', `/magic-link/${MARK}`],
    ['X-Original-URL', `/invite/${MARK}?a=1`],
    ['Origin', `https://${MARK}@a.test`],
    ['X-Upstream', `Basic ${base64('ann:c0ffee')}`],
    ['X-Context', base64(`{"pin":"${MARK}"}`)],
    ['X-Context', `v1 ${base64url(`{"pin":"c0ffee"}`)}`],
    ['X-Context', `{"session_id":"${MARK}"}`],
    ['X-Context', `{"deep":"{\\"pin\\":\\"${MARK}\\"}"}`],
    [
      'X-Forwarded-Client-Cert',
      `By=spiffe://a;Hash=00;Key="-----BEGIN%20PRIVATE%20KEY-----%0A${MARK}%0A-----END%20PRIVATE%20KEY-----"`,
    ],
  ];
  for (const [name, value] of FIELDS) {
    it(`${name}: ${value.replaceAll(MARK, 'SECRET').slice(0, 70)}`, () => {
      const text = kept({ headers: ['Accept', '*/*', name, value] });
      assert.ok(isClean(text, value), text);
    });
  }

  it('of a path that the same request has a secret in', () => {
    const referer = 'https://a.test/i/0a1b2c';
    const text = kept({ target: '/i/0a1b2c/logo', headers: ['Referer', referer] }, { inviteToken: '0a1b2c' });
    assert.ok(!text.includes('0a1b2c'), text);
  });
});

describe('a secret in a target', () => {
  const TARGETS: readonly string[] = [
    `/a;sid=${MARK}/b`,
    `/a;v=1;JSESSIONID=${MARK}`,
    `/a/pin=${MARK}`,
    `/api-key/${MARK}/b`,
    `/webhooks/${MARK}`,
    `/hooks/catch/${MARK}`,
    `/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw${MARK}/send`,
    `/a?user[pin]=${MARK}`,
    `/a?user%5Bpass%5D=${MARK}`,
    `/a?login.otp=${MARK}`,
    `/a?pinCode=${MARK}`,
    `/a?cvv2=${MARK}`,
    `/a?filter={"session_id":"${MARK}"}`,
    `/a?filter=%7B%22pin%22%3A%22${MARK}%22%7D`,
    `/a?s=${base64url(`{"pin":"c0ffee"}`)}`,
    `/a?a=1;sid=${MARK}`,
    `/a?u=https%3A%2F%2Fb.test%2Freset%2F${MARK}`,
    `/a?token[]=${MARK}`,
    `/a?variables={"input":{"otp":"${MARK}"}}`,
  ];
  for (const target of TARGETS) {
    it(target.replaceAll(MARK, 'SECRET'), () => {
      const text = kept({ target });
      assert.ok(isClean(text, target), text);
    });
  }

  it('of which the route took a part, encoded twice', () => {
    const text = kept({ target: '/i/%2541bc' }, { token: '%41bc' });
    assert.ok(!text.includes('41bc'), text);
  });
});

describe('a secret in a body', () => {
  const JSON_TYPE = ['application/json'];
  const FORM = ['application/x-www-form-urlencoded'];
  const XML = ['text/xml'];
  const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');
  const nested = (depth: number): string => {
    let text = `{"pin":"${MARK}"}`;
    for (let i = 0; i < depth; i++) text = JSON.stringify({ a: text });
    return text;
  };
  const BODIES: readonly (readonly [name: string, types: readonly string[], body: string | Buffer])[] = [
    ['JSON: a name that begins so', JSON_TYPE, `{"pinCode":"${MARK}"}`],
    ['JSON: a name with a number', JSON_TYPE, `{"cvv2":"${MARK}"}`],
    ['JSON: a code of twice proving', JSON_TYPE, `{"mfaCode":"${MARK}"}`],
    ['JSON in JSON', JSON_TYPE, nested(1)],
    ['JSON in JSON in JSON', JSON_TYPE, nested(2)],
    ['JSON six times in JSON', JSON_TYPE, nested(6)],
    ['base64 of JSON in JSON', JSON_TYPE, JSON.stringify({ data: base64(`{"pin":"${MARK}"}`) })],
    ['base64 of JSON', ['text/plain'], base64(`{"pin":"${MARK}"}`)],
    ['a pair in a text of JSON', JSON_TYPE, JSON.stringify({ cookieless: `a=1; sid=${MARK}` })],
    [
      'GraphQL, among its arguments',
      JSON_TYPE,
      JSON.stringify({ query: `mutation { login(user: "a", pin: "${MARK}") { id } }` }),
    ],
    [
      'GraphQL, among its variables',
      JSON_TYPE,
      JSON.stringify({ query: 'mutation', variables: { input: { otp: MARK } } }),
    ],
    ['GraphQL as it is', ['application/graphql'], `mutation { login(pin: "${MARK}") }`],
    ['a form: a member of an array', FORM, `user[pin]=${MARK}`],
    ['a form: encoded brackets', FORM, `user%5Bpwd%5D=${MARK}`],
    ['a form: JSON in it', FORM, `payload=${encodeURIComponent(`{"pin":"${MARK}"}`)}`],
    ['a form in UTF-16', [`${FORM[0]}; charset=utf-16le`], utf16(`password=${MARK}`)],
    ['XML: pwd', XML, `<a><pwd>${MARK}</pwd></a>`],
    ['XML: pin', XML, `<a><pin>${MARK}</pin></a>`],
    ['XML: CVV', XML, `<card><CVV>${MARK}</CVV></card>`],
    ['XML: passphrase', XML, `<a passphrase="${MARK}"/>`],
    ['SOAP', ['application/soap+xml'], `<wsse:UsernameToken><wsse:Password>${MARK}</wsse:Password>`],
    ['XML in UTF-16', ['application/xml; charset=utf-16'], utf16(`<a><password>${MARK}</password></a>`)],
    ['XML in UTF-7', ['application/xml; charset=utf-7'], `+ADw-+AHA-+AHc-+AGQ-+AD4-${MARK}`],
    [
      'parts: pin',
      ['multipart/form-data; boundary=b'],
      `--b\r\nContent-Disposition: form-data; name="pin"\r\n\r\n${MARK}\r\n--b--`,
    ],
    ['gRPC and other binary forms, which have no names', ['application/grpc'], `\x0a\x03ann\x12\x14${MARK}`],
    ['no type', [], `{"pin":"${MARK}"}`],
    ['two types', ['application/json', 'text/plain'], `{"pin":"${MARK}"}`],
    ['a type of JSON in lines', ['application/x-ndjson'], `{"otp":"${MARK}"}\n{"a":1}`],
    ['JSON of another charset', ['application/json; charset=utf-16'], utf16(`{"pin":"${MARK}"}`)],
  ];
  for (const [name, types, body] of BODIES) {
    it(name, () => assert.equal(bodyHoldsSecret(Buffer.from(body), { types, isEncoded: false }), true));
  }

  const HARMLESS: readonly (readonly [types: readonly string[], body: string])[] = [
    [
      JSON_TYPE,
      '{"spinning":true,"opinion":"a","passenger":"Ann","bypass":"no","author":"Bo","shopping":"list"}',
    ],
    [JSON_TYPE, '{"max_tokens":5,"page":"eyJpZCI6NDJ9","note":"{\\"a\\":\\"b\\"}"}'],
    [FORM, 'spin=1&opinion=a&author=Bo&user[name]=Ann'],
    [XML, '<order><shipping>fast</shipping><opinion>good</opinion></order>'],
  ];
  for (const [types, body] of HARMLESS) {
    it(`is not seen in ${body.slice(0, 40)}`, () =>
      assert.equal(bodyHoldsSecret(Buffer.from(body), { types, isEncoded: false }), false));
  }
});

describe('what callers name themselves', () => {
  it('and what policies say of them holds no secret', () => {
    const entry = {
      attachment: 'a',
      policy: 'p',
      mode: 'enforce',
      phase: 'request',
      outcome: 'reject',
    } as const;
    const reasons = [`sid=${MARK}`, `no such key: {"pin":"${MARK}"}`];
    for (const reason of reasons) assert.ok(isClean(kept({ decisions: [{ ...entry, reason }] })), reason);
  });
});

describe('harmless fields stay: this test can fail', () => {
  const FIELDS: readonly (readonly [name: string, value: string])[] = [
    ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0'],
    ['Accept', 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8'],
    ['Cache-Control', 'max-age=0'],
    ['Forwarded', 'for=192.0.2.1;proto=https;host=a.test'],
    ['Referer', 'https://a.test/orders/42?page=2&sort=name'],
    ['Origin', 'https://a.test'],
    ['Sec-WebSocket-Protocol', 'graphql-transport-ws, chat'],
    ['Sec-CH-UA', '"Chromium";v="131", "Not_A Brand";v="24"'],
    ['X-Author', 'ann'],
    ['X-Opinion', 'shipping'],
    ['Traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    ['X-Tenant', 'acme'],
  ];
  for (const [name, value] of FIELDS) {
    it(name, () => assert.ok(kept({ headers: [name, value] }).includes(JSON.stringify(value))));
  }
  it('and so do targets', () => {
    for (const target of ['/orders/42?page=2', '/opinions/7', '/authors/a?spin=1', '/a?cursor=eyJpZCI6NDJ9'])
      assert.ok(kept({ target }).includes(target), target);
  });
});
