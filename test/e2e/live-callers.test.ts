/** Consumers and credentials that change while the program serves: what is answered is in force in every worker. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort } from '../fixtures/gateway.ts';
import { eventually, Program, temporaryFolder } from '../fixtures/process.ts';

/** So many kept connections: that all of them are one worker's is next to impossible. */
const CONNECTIONS = 32;
const JWT_SECRET = 'a secret of an issuer, which is long enough';
const ISSUER = 'https://issuer.example';

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function signed(claims: object): string {
  const head = `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url(claims)}`;
  return `${head}.${createHmac('sha256', JWT_SECRET).update(head).digest('base64url')}`;
}

type Headers = Readonly<Record<string, string>>;

/** The program on one folder, started and stopped as often as a test wants. */
class Running {
  readonly folder: string;
  readonly port: number;
  readonly adminPort: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  program: Program;

  constructor(folder: string, port: number, adminPort: number) {
    this.folder = folder;
    this.port = port;
    this.adminPort = adminPort;
    this.program = this.#start();
  }

  get admin(): string {
    return `127.0.0.1:${this.adminPort}`;
  }

  async serves(): Promise<void> {
    await this.program.says(/Sallyport serves/);
  }

  async restart(): Promise<void> {
    await this.program.stop();
    this.program = this.#start();
    await this.serves();
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.program.stop();
  }

  /** The statuses that all connections see at one time, each once. */
  async statuses(path: string, headers: Headers): Promise<number[]> {
    const all = await Promise.all(Array.from({ length: CONNECTIONS }, () => this.ask(path, headers)));
    return [...new Set(all.map(({ status }) => status))].sort();
  }

  ask(path: string, headers: Headers): Promise<{ status: number; body: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
    const asked = request(
      { host: '127.0.0.1', port: this.port, path, headers, agent: this.#agent },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text) => {
          body += text;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    asked.on('error', reject).end();
    return promise;
  }

  async api(method: string, path: string, body?: object): Promise<{ status: number; json: Answer }> {
    const answer = await fetch(`http://${this.admin}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${readFileSync(join(this.folder, 'data/admin-token'), 'utf8').trim()}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, json: text === '' ? {} : JSON.parse(text) };
  }

  /** A change that must succeed. */
  async change(path: string, body: object = {}): Promise<Answer> {
    const { status, json } = await this.api('POST', path, body);
    assert.ok(status === 200 || status === 201, `${path}: ${status} ${JSON.stringify(json)}`);
    return json;
  }

  async key(consumer: string, more: object = {}): Promise<{ id: string; headers: Headers; secret: string }> {
    const { credential, secret } = await this.change('/api/credentials', {
      consumer,
      kind: 'api-key',
      ...more,
    });
    return { id: credential.id, secret, headers: { 'x-api-key': secret } };
  }

  #start(): Program {
    const place = ['--config', join(this.folder, 'gateway.json'), '--data', join(this.folder, 'data')];
    const rest = ['--admin', this.admin, '--records', join(this.folder, 'records.jsonl'), '--workers', '2'];
    return new Program(['run', ...place, ...rest], { env: { DOCUMENT_KEY, JWT_SECRET } });
  }
}

// biome-ignore lint/suspicious/noExplicitAny: answers of many forms, which the assertions look at
type Answer = any;

const DOCUMENT_KEY = 'a-key-of-the-document-0123456789';
const OF_DOCUMENT = { 'x-api-key': DOCUMENT_KEY };

const documentOf = (port: number, upstream: string, consumers: readonly object[]) => ({
  sallyport: 1,
  bruteForce: 'off',
  groups: ['partners'],
  listeners: [{ name: 'public', address: `127.0.0.1:${port}` }],
  upstreams: { origin: { targets: [upstream] } },
  routes: [
    { name: 'open', match: { path: '/any' }, upstream: 'origin', policies: [{ 'api-key': {} }] },
    {
      name: 'partners',
      match: { path: '/partners' },
      upstream: 'origin',
      policies: [{ 'api-key': {} }, { acl: { allow: { groups: ['partners'] } } }],
    },
    { name: 'basic', match: { path: '/basic' }, upstream: 'origin', policies: [{ 'basic-auth': {} }] },
    {
      name: 'tokens',
      match: { path: '/tokens' },
      upstream: 'origin',
      policies: [
        { jwt: { issuers: [{ issuer: ISSUER, keys: [{ secret: 'env:JWT_SECRET' }] }], audience: 'orders' } },
      ],
    },
  ],
  consumers,
});

const DECLARED = [
  { name: 'declared', groups: ['partners'], credentials: [{ 'api-key': { secret: 'env:DOCUMENT_KEY' } }] },
  { name: 'bare', groups: ['partners'] },
];

describe('live callers', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let upstream: Server;
  let gateway: Running;
  let url: string;
  const secrets: string[] = [];

  const writeDocument = (consumers: readonly object[]): void =>
    writeFileSync(
      join(folder.path, 'gateway.json'),
      JSON.stringify(documentOf(gateway.port, url, consumers)),
    );

  before(async () => {
    folder = await temporaryFolder();
    upstream = createServer((asked, response) =>
      response.end(String(asked.headers['x-consumer-username'] ?? '')),
    );
    await new Promise<void>((resolve) => void upstream.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
    const port = await freePort();
    writeFileSync(join(folder.path, 'gateway.json'), JSON.stringify(documentOf(port, url, DECLARED)));
    gateway = new Running(folder.path, port, await freePort());
    await gateway.serves();
  });
  after(async () => {
    await gateway.stop();
    upstream.close();
    await folder.remove();
  });

  it('a key is refused in every worker by the very calls that come after its revocation', async () => {
    await gateway.change('/api/consumers', { name: 'app', groups: ['partners'] });
    const { id, headers, secret } = await gateway.key('app');
    secrets.push(secret);
    assert.deepEqual(await gateway.statuses('/partners', { 'x-api-key': `${secret}x` }), [401]);
    assert.deepEqual(await gateway.statuses('/partners', headers), [200]);
    // Calls without pause while it is revoked: none that was sent after the answer is let through.
    let answeredAtMs = Number.POSITIVE_INFINITY;
    const late: number[] = [];
    const caller = async (): Promise<void> => {
      for (let n = 0; performance.now() < answeredAtMs + 100 || n < 20; n++) {
        const sentAtMs = performance.now();
        const { status } = await gateway.ask('/partners', headers);
        if (sentAtMs > answeredAtMs) late.push(status);
      }
    };
    const callers = Promise.all(Array.from({ length: CONNECTIONS }, caller));
    await gateway.change(`/api/credentials/${id}/revoke`, { reason: 'leaked' });
    answeredAtMs = performance.now();
    assert.deepEqual(await gateway.statuses('/partners', headers), [401]);
    await callers;
    assert.ok(late.length >= CONNECTIONS, `only ${late.length} calls came after`);
    assert.deepEqual([...new Set(late)], [401]);
  });

  it('a disabled consumer is refused with each of its credentials, and taken again once it is enabled', async () => {
    const keys = [await gateway.key('app'), await gateway.key('app'), await gateway.key('app')];
    const seen = async () => {
      const all = await Promise.all(keys.map(({ headers }) => gateway.statuses('/any', headers)));
      return [...new Set(all.flat())];
    };
    assert.deepEqual(await seen(), [200]);
    await gateway.change('/api/consumers/app/disable', { reason: 'unpaid' });
    assert.deepEqual(await seen(), [401]);
    await gateway.change('/api/consumers/app/enable');
    assert.deepEqual(await seen(), [200]);
  });

  it('groups are those of the consumer, as they are changed', async () => {
    await gateway.change('/api/consumers', { name: 'plain' });
    const { headers } = await gateway.key('plain');
    assert.deepEqual(await gateway.statuses('/partners', headers), [403]);
    await gateway.api('PATCH', '/api/consumers/plain', { groups: ['partners'] });
    assert.deepEqual(await gateway.statuses('/partners', headers), [200]);
    await gateway.api('PATCH', '/api/consumers/plain', { groups: [] });
    assert.deepEqual(await gateway.statuses('/partners', headers), [403]);
  });

  it('a credential ends when it expires, and the one before a rotation with its overlap', async () => {
    const { headers } = await gateway.key('app', { expiresAt: new Date(Date.now() + 3000).toISOString() });
    const rotated = await gateway.key('app');
    const { secret } = await gateway.change(`/api/credentials/${rotated.id}/rotate`, { overlap: '3s' });
    const heir = { 'x-api-key': secret };
    for (const one of [headers, rotated.headers, heir])
      assert.deepEqual(await gateway.statuses('/any', one), [200]);
    for (const one of [headers, rotated.headers]) {
      await eventually(async () => (await gateway.statuses('/any', one)).join() === '401');
    }
    assert.deepEqual(await gateway.statuses('/any', heir), [200]);
    const again = await gateway.change('/api/credentials', { consumer: 'app', kind: 'api-key' });
    const next = await gateway.change(`/api/credentials/${again.credential.id}/rotate`, { overlap: '0s' });
    assert.deepEqual(await gateway.statuses('/any', { 'x-api-key': again.secret }), [401]);
    assert.deepEqual(await gateway.statuses('/any', { 'x-api-key': next.secret }), [200]);
  });

  it('a password is taken, and no more once it is revoked', async () => {
    const made = await gateway.change('/api/credentials', {
      consumer: 'app',
      kind: 'basic-auth',
      username: 'jane',
    });
    secrets.push(made.secret);
    const headers = { authorization: `Basic ${Buffer.from(`jane:${made.secret}`).toString('base64')}` };
    const wrong = { authorization: `Basic ${Buffer.from(`jane:${made.secret}x`).toString('base64')}` };
    assert.equal((await gateway.ask('/basic', wrong)).status, 401);
    assert.deepEqual(await gateway.statuses('/basic', headers), [200]);
    await gateway.change(`/api/credentials/${made.credential.id}/revoke`);
    assert.deepEqual(await gateway.statuses('/basic', headers), [401]);
  });

  it('a consumer of the document has live credentials too, and only while it is declared', async () => {
    const { headers } = await gateway.key('bare');
    assert.deepEqual(await gateway.statuses('/partners', headers), [200]);
    writeDocument([DECLARED[0]]);
    await eventually(async () => (await gateway.statuses('/partners', headers)).join() === '401');
    writeDocument(DECLARED);
    await eventually(async () => (await gateway.statuses('/partners', headers)).join() === '200');
  });

  it('a credential and a consumer of the document are refused by name, and taken again', async () => {
    assert.deepEqual(await gateway.statuses('/partners', OF_DOCUMENT), [200]);
    await gateway.change('/api/credentials/declared-1/revoke', { reason: 'leaked' });
    assert.deepEqual(await gateway.statuses('/partners', OF_DOCUMENT), [401]);
    await gateway.change('/api/credentials/declared-1/restore');
    assert.deepEqual(await gateway.statuses('/partners', OF_DOCUMENT), [200]);
    await gateway.change('/api/consumers/declared/disable');
    assert.deepEqual(await gateway.statuses('/partners', OF_DOCUMENT), [401]);
    await gateway.change('/api/consumers/declared/enable');
    assert.deepEqual(await gateway.statuses('/partners', OF_DOCUMENT), [200]);
  });

  it('a token is refused once it is revoked, though it was taken before', async () => {
    const exp = Math.floor(Date.now() / 1000) + 600;
    const [one, two] = ['one', 'two'].map((jti) => ({
      authorization: `Bearer ${signed({ iss: ISSUER, aud: 'orders', sub: 's', client_id: 'c', jti, exp })}`,
    }));
    assert.deepEqual(await gateway.statuses('/tokens', one), [200]);
    const until = new Date(exp * 1000).toISOString();
    await gateway.change('/api/revocations/tokens', { issuer: ISSUER, id: 'one', until });
    assert.deepEqual(await gateway.statuses('/tokens', one), [401]);
    assert.deepEqual(await gateway.statuses('/tokens', two), [200]);
  });

  it('that a credential was used is told, live or of the document', async () => {
    const { id, headers } = await gateway.key('app');
    const unused = await gateway.key('app');
    await gateway.statuses('/any', headers);
    await gateway.statuses('/any', OF_DOCUMENT);
    for (const used of [id, 'declared-1']) {
      await eventually(
        async () => (await gateway.api('GET', `/api/credentials/${used}`)).json.lastUsedAt !== null,
      );
    }
    assert.equal((await gateway.api('GET', `/api/credentials/${unused.id}`)).json.lastUsedAt, null);
  });

  it('a worker that is replaced knows all of it', async () => {
    const [good, bad] = [await gateway.key('app'), await gateway.key('app')];
    await gateway.change(`/api/credentials/${bad.id}/revoke`);
    await gateway.change('/api/credentials/declared-1/revoke');
    for (const worker of [0, 1]) {
      const replaced = new RegExp(`(?:"event":"worker-replaced"[^]*){${worker + 1}}`);
      await gateway.api('POST', `/api/workers/${worker}/restart`);
      await gateway.program.says(replaced);
    }
    // Idle connections of a worker that drains are closed by it: new ones are made.
    assert.deepEqual(await gateway.statuses('/any', good.headers), [200]);
    assert.deepEqual(await gateway.statuses('/any', bad.headers), [401]);
    assert.deepEqual(await gateway.statuses('/any', OF_DOCUMENT), [401]);
  });

  it('a restart of the program knows all of it', async () => {
    const [good, bad, off] = [await gateway.key('app'), await gateway.key('app'), await gateway.key('plain')];
    const signing = await gateway.change('/api/credentials', { consumer: 'app', kind: 'hmac-signature' });
    secrets.push(good.secret, signing.secret);
    await gateway.change(`/api/credentials/${bad.id}/revoke`);
    await gateway.change('/api/consumers/plain/disable');
    await gateway.restart();
    assert.deepEqual(await gateway.statuses('/partners', good.headers), [200]);
    for (const refused of [bad.headers, off.headers, OF_DOCUMENT]) {
      assert.deepEqual(await gateway.statuses('/any', refused), [401]);
    }
    assert.match(gateway.program.stderr, /"event":"callers-loaded"/);
    assert.doesNotMatch(gateway.program.stderr, /credential-unreadable/);
  });

  it('the command line does the same', async () => {
    const place = ['--admin', gateway.admin, '--data', join(gateway.folder, 'data')];
    const run = async (...args: string[]): Promise<Program> => {
      const program = new Program([...args, ...place]);
      assert.equal(await program.exit(), 0, program.stderr);
      return program;
    };
    await run('consumers', 'create', 'shell', '-g', 'partners');
    const { stdout } = await run('credentials', 'create', 'shell', '--json');
    const { credential, secret } = JSON.parse(stdout);
    const headers = { 'x-api-key': secret };
    assert.deepEqual(await gateway.statuses('/partners', headers), [200]);
    await run('credentials', 'revoke', credential.id, '--reason', 'leaked');
    assert.deepEqual(await gateway.statuses('/partners', headers), [401]);
    assert.match((await run('credentials', 'list', '--consumer', 'shell')).stdout, /revoked/);
    const wrong = new Program(['consumers', 'disable', 'nobody', ...place]);
    assert.equal(await wrong.exit(), 1);
    assert.match(wrong.stderr, /^refused: .*There is no consumer "nobody"/);
  });

  it('no secret lies in the data folder, the records or the log', async () => {
    assert.equal(secrets.length, 4);
    const texts = readdirSync(join(gateway.folder, 'data'), { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'));
    texts.push(readFileSync(join(gateway.folder, 'records.jsonl'), 'latin1'), gateway.program.stderr);
    for (const secret of secrets) {
      const forms = [secret, Buffer.from(secret).toString('base64url'), Buffer.from(secret).toString('hex')];
      for (const form of forms) assert.ok(!texts.some((text) => text.includes(form)), secret.slice(0, 4));
    }
    // What is looked for would be found where it is.
    assert.ok(texts.some((text) => text.includes(secrets[0].slice(0, 10))));
  });
});

describe('a gateway without a usable store', () => {
  it('serves the callers of the document but for who was revoked, and says that no others can be looked after', async () => {
    const folder = await temporaryFolder();
    const port = await freePort();
    const key = 'a-key-that-was-lost-0123456789';
    writeFileSync(join(folder.path, 'lost-key'), key);
    const lost = { name: 'unlucky', credentials: [{ 'api-key': { id: 'lost', secret: 'file:lost-key' } }] };
    writeFileSync(
      join(folder.path, 'gateway.json'),
      JSON.stringify(documentOf(port, 'http://127.0.0.1:9', [...DECLARED, lost])),
    );
    const first = new Running(folder.path, port, await freePort());
    await first.serves();
    await first.change('/api/credentials/lost/revoke', { reason: 'leaked' });
    await first.stop();
    writeFileSync(join(folder.path, 'data/sallyport.db'), 'this is no database'.repeat(500));
    const gateway = new Running(folder.path, port, first.adminPort);
    try {
      await gateway.serves();
      assert.deepEqual(await gateway.statuses('/any', { 'x-api-key': 'nobody-has-this-key' }), [401]);
      assert.deepEqual(await gateway.statuses('/any', { 'x-api-key': key }), [401]);
      assert.deepEqual(await gateway.statuses('/any', OF_DOCUMENT), [502]);
      const { status, json } = await gateway.api('POST', '/api/consumers', { name: 'app' });
      assert.deepEqual([status, json.code], [503, 'store-unavailable']);
    } finally {
      await gateway.stop();
      await folder.remove();
    }
  });
});
