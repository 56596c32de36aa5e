import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { AUTHORITY } from '../../test/fixtures/certificates.ts';
import { CLIENT, OidcServer, OPAQUE } from '../../test/fixtures/oidc-provider.ts';
import { RawUpstream, send } from '../../test/fixtures/raw-upstream.ts';
import type { Network, OutboundRequest } from '../contract/index.ts';
import { NetworkError } from '../errors.ts';
import { HeaderList } from '../lib/header-list.ts';
import { createNetwork } from '../outbound/index.ts';
import { type ClientCredential, OAuthClient, type OAuthClientRules } from './oauth-client.ts';

const network = createNetwork();
const clock = { monotonic: () => 0 };
const BASIC: ClientCredential = { method: 'client_secret_basic', ...CLIENT };
const client = (endpoint: OAuthClientRules['endpoint'], more: Partial<OAuthClientRules> = {}) =>
  new OAuthClient({ endpoint, client: BASIC, ca: undefined, timeoutMs: 20_000, ...more }, clock);

async function failureOf(work: Promise<unknown>): Promise<NetworkError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof NetworkError, String(error));
    return error;
  }
  return assert.fail('was answered');
}

describe('an authorization server asked by its client', () => {
  let server: OidcServer;
  before(async () => {
    server = await OidcServer.start();
  });
  after(() => server.stop());
  const introspection = () => ({ url: `${server.issuer}/token/introspection` });

  it('knows a token, and none that is made up or revoked', async () => {
    const token = await server.clientToken({ resource: OPAQUE });
    const asked = client(introspection());
    const known = await asked.introspect(network, token);
    assert.equal(known?.client_id, CLIENT.id);
    assert.equal(known?.scope, 'orders.read');
    assert.equal(await asked.introspect(network, 'made-up'), undefined);
    await server.post('/token/revocation', new URLSearchParams({ token }));
    assert.equal(await asked.introspect(network, token), undefined);
  });

  it('knows no token of a kind that it does not tell about, which is no outage', async () => {
    const structured = await server.clientToken();
    assert.equal(await client(introspection()).introspect(network, structured), undefined);
  });

  it('is found by its issuer, once an hour', async () => {
    let nowMs = 0;
    const rules = { endpoint: { issuer: server.issuer }, client: BASIC, ca: undefined, timeoutMs: 20_000 };
    const asked = new OAuthClient(rules, { monotonic: () => nowMs });
    const count = () => server.count('GET', '/.well-known/openid-configuration');
    const before = count();
    for (let i = 0; i < 3; i++) await asked.introspect(network, 'made-up');
    assert.equal(count() - before, 1);
    nowMs = 3_600_000;
    await asked.introspect(network, 'made-up');
    assert.equal(count() - before, 2);
    // What was found is used while nothing newer can be had.
    nowMs *= 2;
    server.intercept = (request, response) => {
      if (request.method !== 'GET') return false;
      response.writeHead(500).end();
      return true;
    };
    assert.equal(await asked.introspect(network, 'made-up'), undefined);
    server.intercept = undefined;
  });

  it('issues a token of the client’s own', async () => {
    const asked = client({ issuer: server.issuer });
    const issued = await asked.clientToken(network, { scope: 'orders.write', resource: OPAQUE });
    assert.equal(issued.lifetimeMs, 3_600_000);
    const known = await client(introspection()).introspect(network, issued.token);
    assert.deepEqual([known?.scope, known?.aud], ['orders.write', OPAQUE]);
  });

  it('refuses a client with a wrong secret, and tells nothing of it', async () => {
    const wrong: ClientCredential = { ...CLIENT, method: 'client_secret_basic', secret: 'wrong-secret' };
    for (const work of [
      client(introspection(), { client: wrong }).introspect(network, 'secret-token'),
      client({ issuer: server.issuer }, { client: wrong }).clientToken(network, {}),
    ]) {
      const { failure, message, cause } = await failureOf(work);
      assert.equal(failure, 'malformed');
      assert.doesNotMatch(message, /secret/);
      assert.equal(cause, undefined);
    }
  });
});

describe('over TLS', () => {
  it('the authority that was named must have signed', async () => {
    const server = await OidcServer.start({ tls: true });
    try {
      const endpoint = { issuer: server.issuer };
      assert.equal((await failureOf(client(endpoint).introspect(network, 'a'))).failure, 'unreachable');
      assert.equal(await client(endpoint, { ca: AUTHORITY }).introspect(network, 'a'), undefined);
    } finally {
      await server.stop();
    }
  });
});

describe('how the client proves itself', () => {
  const table: readonly (readonly [
    client: ClientCredential,
    authorization: RegExp | undefined,
    body: RegExp,
  ])[] = [
    // RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
    [
      { method: 'client_secret_basic', id: 'a:b', secret: 'c d+é' },
      new RegExp(`^Basic ${btoa('a%3Ab:c+d%2B%C3%A9').replace('+', '\\+')}$`),
      /^token_type_hint=access_token&token=t%2Fx%3D$/,
    ],
    [
      { method: 'client_secret_post', id: 'a', secret: 's&=' },
      undefined,
      /client_id=a&client_secret=s%26%3D/,
    ],
    [{ method: 'bearer', token: 'own' }, /^Bearer own$/, /token=t%2Fx%3D/],
  ];
  for (const [credential, authorization, body] of table) {
    it(credential.method, async () => {
      const sent: OutboundRequest[] = [];
      const asked = client({ url: 'https://a.test/introspect' }, { client: credential, ca: 'pem' });
      const answers: Network = {
        send: async (request) => {
          sent.push(request);
          const headers = new HeaderList(['Content-Type', 'application/json']);
          return { status: 200, headers, body: Buffer.from('{"active":false}') };
        },
      };
      await asked.introspect(answers, 't/x=');
      const [{ url, method, headers = [], body: form, ca }] = sent;
      assert.deepEqual([url, method, ca], ['https://a.test/introspect', 'POST', 'pem']);
      const value = new HeaderList([...headers]).get('authorization');
      assert.equal(authorization === undefined ? value === undefined : authorization.test(value ?? ''), true);
      assert.match(String(form), body);
    });
  }
});

/** Answers after which nobody can say that a token is active. */
const json = (body: string, fields = '') =>
  send(
    `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`,
  );
const status = (line: string, body = '', type = 'application/json') =>
  send(`HTTP/1.1 ${line}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);

describe('garbage counts for nothing', () => {
  const active = '{"active":true,"sub":"top-secret-ann"}';
  const table = {
    HTML: status('200 OK', '<p>welcome</p>', 'text/html'),
    'JSON that says it is HTML': status('200 OK', active, 'text/html'),
    'JSON that does not say so': send(`HTTP/1.1 200 OK\r\nContent-Length: ${active.length}\r\n\r\n${active}`),
    'a signed answer': status(
      '200 OK',
      'eyJhbGciOiJub25lIn0.eyJhY3RpdmUiOnRydWV9.',
      'application/token-introspection+jwt',
    ),
    'a quoted signed answer': status('200 OK', '"a.b.c"', 'application/token-introspection+jwt'),
    'JSON cut off': json('{"active":true'),
    'a list': json('[{"active":true}]'),
    nothing: json(''),
    null: json('null'),
    'no word of being active': json('{"sub":"ann"}'),
    'a text that says so': json('{"active":"true"}'),
    'a number that says so': json('{"active":1}'),
    'both at once': json('{"active":false,"active":true}'),
    'bytes that are no UTF-8': json('{"active":true,"sub":"\xff"}'),
    'nesting without an end': json(`{"active":true,"a":${'['.repeat(100)}${']'.repeat(100)}}`),
    'an error with an active token': status('500 Oops', active),
    'an error that says it of the gateway': status('400 Bad Request', '{"error":"invalid_request"}'),
    'a redirect with one': send(
      `HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Type: application/json\r\nContent-Length: ${active.length}\r\n\r\n${active}`,
    ),
    'a created token': status('201 Created', active),
    'no content': send('HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\n\r\n'),
    'a status beyond all': status('999 What', active),
    'an answer without an end': json(`{"active":true,"a":"${'a'.repeat(300_000)}"}`),
    'a field that no head can carry': json(active, 'X-\x01: a\r\n'),
  };
  for (const [name, answer] of Object.entries(table)) {
    it(name, async () => {
      const server = await RawUpstream.start({ answer });
      try {
        const { message } = await failureOf(client({ url: server.url }).introspect(network, 'a'));
        assert.doesNotMatch(message, /top-secret/);
      } finally {
        await server.stop();
      }
    });
  }
});

describe('a token that is none of ours', () => {
  const table = {
    'no token': '{"token_type":"bearer"}',
    'no type': '{"access_token":"a"}',
    'another type': '{"access_token":"a","token_type":"DPoP"}',
    'an unknown type': '{"access_token":"a","token_type":"mac"}',
    'a header of its own': '{"access_token":"a\\r\\nX-Admin: 1","token_type":"bearer"}',
    'a token no header can hold': `{"access_token":"${'a'.repeat(17_000)}","token_type":"bearer"}`,
    'a lifetime below nothing': '{"access_token":"a","token_type":"bearer","expires_in":-1}',
    'a lifetime that is no number': '{"access_token":"a","token_type":"bearer","expires_in":"soon"}',
  };
  for (const [name, body] of Object.entries(table)) {
    it(name, async () => {
      const server = await RawUpstream.start({ answer: json(body) });
      try {
        await failureOf(client({ url: server.url }).clientToken(network, {}));
      } finally {
        await server.stop();
      }
    });
  }

  it('an issuer with TLS names an endpoint without: nothing is sent there', async () => {
    const sent: string[] = [];
    const answers: Network = {
      send: async ({ url }) => {
        sent.push(url);
        const body = JSON.stringify({ issuer: 'https://a.test', token_endpoint: 'http://a.test/token' });
        return {
          status: 200,
          headers: new HeaderList(['Content-Type', 'application/json']),
          body: Buffer.from(body),
        };
      },
    };
    await failureOf(client({ issuer: 'https://a.test' }).clientToken(answers, {}));
    assert.deepEqual(sent, ['https://a.test/.well-known/openid-configuration']);
  });
});
