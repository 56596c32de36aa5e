import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeWorld, TOKEN } from '../../test/fixtures/admin.ts';
import { ConfigError } from '../errors.ts';
import { Type } from '../lib/schema.ts';
import { type AdminApi, type AdminOptions, adminToken, askAdmin, expectAnswer } from './admin-client.ts';
import type { Terminal } from './terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-admin-client-'));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'admin-token'), `${TOKEN}\n`);

class Captured implements Terminal {
  readonly colours = false;
  stdout = '';
  stderr = '';

  out(text: string): void {
    this.stdout += text;
  }

  error(text: string): void {
    this.stderr += text;
  }
}

async function ask(
  more: Partial<AdminOptions> & Pick<AdminOptions, 'admin'>,
  work: (api: AdminApi) => Promise<unknown>,
) {
  const terminal = new Captured();
  const options = { data: folder, format: 'text', ...more } as const;
  const code = await askAdmin(options, terminal, async (api) => {
    const data = await work(api);
    return { data, text: 'done\n' };
  });
  return { code, stdout: terminal.stdout, stderr: terminal.stderr };
}

async function listening(server: ReturnType<typeof createServer>): Promise<AdminOptions['admin']> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => server.close());
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

async function gateway(more: Parameters<typeof makeWorld>[0] = {}): Promise<AdminOptions['admin']> {
  const { app } = await makeWorld(more);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const [address] = app.addresses();
  assert.ok(typeof address === 'object');
  return { host: '127.0.0.1', port: address.port };
}

test('a token is asked for where there is none, and its fault is told', () => {
  const cases: [string, string, NodeJS.ProcessEnv, RegExp][] = [
    ['no folder', join(folder, 'none'), {}, /no admin token at .*--data DIR/],
    [
      'no token in the variable',
      folder,
      { SALLYPORT_ADMIN_TOKEN: 'a b' },
      /SALLYPORT_ADMIN_TOKEN holds no token/,
    ],
  ];
  for (const [name, data, environment, expected] of cases) {
    const says = (error: unknown) =>
      error instanceof ConfigError && expected.test(`${error.message} ${error.issues[0].suggestion ?? ''}`);
    assert.throws(() => adminToken(data, environment), says, name);
  }
  const broken = mkdtempSync(join(folder, 'broken-'));
  writeFileSync(join(broken, 'admin-token'), 'short\n');
  assert.throws(() => adminToken(broken, {}), ConfigError);
});

test('the variable wins over the folder', () => {
  assert.equal(adminToken(folder, {}), TOKEN);
  assert.equal(adminToken(folder, { SALLYPORT_ADMIN_TOKEN: ' other\n' }), 'other');
  assert.equal(adminToken(folder, { SALLYPORT_ADMIN_TOKEN: '' }), TOKEN);
});

test('what the gateway refuses is told by its code, in words and as JSON', async () => {
  const admin = await gateway({ store: () => undefined });
  const words = await ask({ admin }, (api) => api.get('/api/audit'));
  assert.deepEqual([words.code, words.stdout], [1, '']);
  assert.match(words.stderr, /^refused: There is no usable store/);
  const { code, stdout } = await ask({ admin, json: true }, (api) => api.get('/api/audit'));
  const { error } = JSON.parse(stdout);
  assert.deepEqual([code, error.code, error.status], [1, 'store-unavailable', 503]);
});

test('a wrong token, nobody there and somebody else there are told apart', async () => {
  const admin = await gateway({ token: { path: '', isNew: false, matches: () => false } });
  const wrong = await ask({ admin }, (api) => api.get('/api/status'));
  assert.match(wrong.stderr, /refuses the admin token: was the gateway started with another --data/);
  assert.doesNotMatch(wrong.stderr, new RegExp(TOKEN));

  const server = createServer((_request, response) => response.writeHead(404).end('<html>'));
  const foreign = await listening(server);
  const other = await ask({ admin: foreign }, (api) => api.get('/api/status'));
  assert.match(other.stderr, /is no admin side of Sallyport \(status 404\)/);

  const headers = { 'x-policy-revision': 'a', 'content-type': 'application/problem+json' };
  const problem = '{"title":"Invalid credential","detail":"","code":"invalid-credential"}';
  const data = await listening(
    createServer((_request, response) => response.writeHead(401, headers).end(problem)),
  );
  const listener = await ask({ admin: data }, (api) => api.get('/api/status'));
  assert.match(listener.stderr, /^error: .+ is a listener of a gateway: --admin HOST:PORT/);

  const gone = createServer();
  const nobody = await listening(gone);
  gone.close();
  await once(gone, 'close');
  const { code, stdout } = await ask({ admin: nobody, format: 'json' }, (api) => api.get('/api/status'));
  const { error } = JSON.parse(stdout);
  assert.equal(code, 1);
  assert.equal(error.code, undefined);
  assert.match(error.detail, /no gateway answers at http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\)/);
});

test('the token does not follow to another place', async () => {
  const seen: (string | undefined)[] = [];
  const thief = await listening(
    createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{}');
    }),
  );
  const admin = await listening(
    createServer((_request, response) =>
      response.writeHead(307, { location: `http://127.0.0.1:${thief.port}/` }).end(),
    ),
  );
  const { code } = await ask({ admin }, (api) => api.post('/api/status', {}));
  assert.equal(code, 1);
  assert.deepEqual(seen, []);
});

test('an answer of another form is told as such', async () => {
  const admin = await gateway();
  const schema = Type.Object({ nobody: Type.String() });
  const { code, stderr } = await ask({ admin }, async (api) =>
    expectAnswer(schema, await api.get('/api/status')),
  );
  assert.equal(code, 1);
  assert.match(stderr, /does not understand/);
});

test('an answer is printed in words or as it came', async () => {
  const admin = await gateway();
  const words = await ask({ admin }, (api) => api.get('/api/workers'));
  assert.deepEqual(words, { code: 0, stdout: 'done\n', stderr: '' });
  const json = await ask({ admin, json: true }, (api) => api.get('/api/workers'));
  assert.equal(JSON.parse(json.stdout).workers.length, 1);
});
