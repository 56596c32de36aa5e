/** Who may call what, as a user meets it: each way to prove who calls, what is refused, and what changes without a reload. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { jwtVerify } from 'jose';
import { Agent, request as undiciRequest } from 'undici';
import { freePort } from '../../test/fixtures/gateway.ts';
import { contentDigest, signatureFields } from '../../test/fixtures/http-signature.ts';
import { writeMmdb } from '../../test/fixtures/mmdb.ts';
import { OidcServer, OPAQUE } from '../../test/fixtures/oidc-provider.ts';
import { eventually, PROGRAM, Program, temporaryFolder } from '../../test/fixtures/process.ts';
import { proxyLine } from '../../test/fixtures/proxy-header.ts';
import { RawClient, statusOf } from '../../test/fixtures/raw-client.ts';
import { proofOf, tokenHash, tokenKey } from '../../test/fixtures/tokens.ts';
import { authorisationService, listen, makeCertificates, type Player, Visitor } from './cast.ts';

const folder = await temporaryFolder();
const file = path.join(folder.path, 'gateway.yaml');
const [gatewayPort, partnerPort, balancerPort, issuerPort, servicePort, feedPort, demoPort, adminPort] =
  await ports(8);
const origin = `http://127.0.0.1:${gatewayPort}`;
const signingKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const secrets = {
  EXAMPLE_CLIENT_SECRET: 'app-secret-0123456789abcdef',
  EXAMPLE_SESSION_SECRET: 'session-secret-0123456789abcdef0123',
  EXAMPLE_API_KEY: 'api-key-0123456789abcdef',
  EXAMPLE_PASSWORD: 'correct horse battery staple',
  EXAMPLE_SIGNING_SECRET: 'signing-secret-0123456789abcdef0123',
  EXAMPLE_KIOSK_KEY: 'kiosk-key-0123456789abcdef',
  EXAMPLE_SIGNING_KEY: String(signingKey.export({ type: 'pkcs8', format: 'pem' })),
};

const original = await readFile(path.join(import.meta.dirname, 'gateway.yaml'), 'utf8');
const moved: readonly (readonly [RegExp, number])[] = [
  [/:8080/g, gatewayPort],
  [/:8443/g, partnerPort],
  [/:8081/g, balancerPort],
  [/:8091/g, issuerPort],
  [/:8092/g, servicePort],
  [/:8093/g, feedPort],
  [/:8099/g, demoPort],
];
await writeFile(
  file,
  moved.reduce((text, [from, to]) => text.replace(from, `:${to}`), original),
);
makeCertificates(folder.path);
await writeFile(
  path.join(folder.path, 'country.mmdb'),
  writeMmdb({ type: 'GeoLite2-Country', networks: [['203.0.114.0/24', { country: { iso_code: 'ZZ' } }]] }),
);

let feed = '203.0.113.0/24 ; known for trouble\n';
const players: Player[] = [
  await listen(servicePort, authorisationService),
  await listen(feedPort, (_, response) => response.end(feed)),
];
const issuer = await OidcServer.start({
  port: issuerPort,
  redirectUris: [`${origin}/dashboard/callback`],
  postLogoutRedirectUris: [`${origin}/`],
  backchannelLogoutUri: `${origin}/dashboard/backchannel`,
});
const gateway = new Program(
  [
    'run',
    '--demo',
    `127.0.0.1:${demoPort}`,
    '--admin',
    `127.0.0.1:${adminPort}`,
    '--records',
    'records.jsonl',
    '--workers',
    '2',
  ],
  { cwd: folder.path, env: secrets },
);

async function ports(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) found.add(await freePort());
  return [...found];
}

/** A step of the story; the first that does not hold ends it. */
async function step(what: string, holds: () => Promise<void>): Promise<void> {
  await holds();
  console.log(`ok  ${what}`);
}

/** The command line, as the operator beside the gateway uses it. */
async function operator(...args: string[]): Promise<string> {
  const all = [PROGRAM, ...args, '--admin', `127.0.0.1:${adminPort}`, '--data', '.data'];
  const { stdout } = await promisify(execFile)(process.execPath, all, { cwd: folder.path });
  return stdout;
}

const ask = (at: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
  fetch(`${origin}${at}`, { ...init, headers });
const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** The status of a request that the balancer passes on for a client at `address`. */
async function through(address: string): Promise<number | undefined> {
  const client = await RawClient.connect(balancerPort);
  client.send(
    `${proxyLine(address)}GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.200\r\nConnection: close\r\n\r\n`,
  );
  const answer = await client.response();
  client.close();
  return answer === undefined ? undefined : statusOf(answer);
}

/** What reached the upstream: the demo says it. */
async function reached(response: Response): Promise<Record<string, string>> {
  assert.equal(response.status, 200, await response.clone().text());
  const said: { headers: Record<string, string> } = JSON.parse(await response.text());
  return said.headers;
}

async function refused(response: Response, status: number, code: string): Promise<string> {
  const problem: { code?: string } = JSON.parse(await response.text());
  assert.deepEqual([response.status, problem.code], [status, code]);
  return response.headers.get('www-authenticate') ?? '';
}

try {
  await gateway.says(/Sallyport|gateway/i);
  await eventually(async () => (await ask('/shop/tea')).status === 200);

  await step('a stranger is told how to come in, and where to ask for a token', async () => {
    const challenge = await refused(await ask('/orders/1'), 401, 'unauthenticated');
    assert.doesNotMatch(challenge, /error=/);
    const [, metadata] = /resource_metadata="([^"]+)"/.exec(challenge) ?? [];
    const { authorization_servers: servers } = JSON.parse(await (await fetch(metadata)).text());
    assert.deepEqual(servers, [issuer.issuer]);
  });

  await step(
    'a token of the issuer opens what its scopes say, and its claims reach the upstream',
    async () => {
      const token = await issuer.userToken('ann', { scope: 'openid orders.read' });
      const headers = await reached(await ask('/orders/1', { ...bearer(token), 'x-user': 'somebody-else' }));
      assert.deepEqual([headers['x-user'], headers['x-roles']], ['ann', 'staff, ann']);
      const challenge = await refused(
        await ask('/orders/1', bearer(token), { method: 'POST' }),
        403,
        'insufficient-scope',
      );
      assert.match(challenge, /error="insufficient_scope"/);
    },
  );

  await step('a forged token opens nothing', async () => {
    const [head, body, signature] = (await issuer.clientToken()).split('.');
    const forged = `${head}.${body}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    assert.match(
      await refused(await ask('/orders/1', bearer(forged)), 401, 'invalid-credential'),
      /error="invalid_token"/,
    );
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`;
    await refused(await ask('/orders/1', bearer(none)), 401, 'invalid-credential');
  });

  await step('the issuer changes its keys, and nobody notices', async () => {
    await issuer.rotateKeys();
    assert.equal((await ask('/orders/1', bearer(await issuer.clientToken()))).status, 200);
  });

  await step('the issuer is gone for a while, and its keys still serve', async () => {
    const token = await issuer.clientToken();
    await issuer.stop();
    assert.equal((await ask('/orders/1', bearer(token))).status, 200);
    await issuer.start();
  });

  await step(
    'a token that is bound to a key is worth nothing without a proof, and a proof is good once',
    async () => {
      const caller = tokenKey();
      const proof = (htm: string, htu: string, ath?: string) =>
        proofOf(caller, {
          jti: randomUUID(),
          htm,
          htu,
          iat: Math.floor(Date.now() / 1000),
          ...(ath && { ath }),
        });
      const token = await issuer.clientToken({ dpop: proof('POST', `${issuer.issuer}/token`) });
      const once = {
        authorization: `DPoP ${token}`,
        dpop: proof('GET', `${origin}/orders/1`, tokenHash(token)),
      };
      await refused(await ask('/orders/1', bearer(token)), 401, 'invalid-credential');
      assert.equal((await reached(await ask('/orders/1', once)))['x-user'], 'app');
      await refused(await ask('/orders/1', once), 401, 'invalid-credential');
    },
  );

  await step('a token that was stolen is revoked here, whatever its issuer says', async () => {
    const token = await issuer.clientToken();
    assert.equal((await ask('/orders/1', bearer(token))).status, 200);
    await writeFile(path.join(folder.path, 'stolen.jwt'), token);
    await operator('tokens', 'revoke', 'stolen.jwt', '--reason', 'found in a log');
    await refused(await ask('/orders/1', bearer(token)), 401, 'invalid-credential');
  });

  await step('an opaque token is asked about', async () => {
    const token = await issuer.clientToken({ resource: OPAQUE });
    assert.equal((await reached(await ask('/stock/7', bearer(token))))['x-consumer-username'], 'app');
    await refused(await ask('/stock/7', bearer('no-token-of-anybody')), 401, 'invalid-credential');
  });

  await step('a person signs in with a browser, comes back to where they were, and signs out', async () => {
    const visitor = new Visitor();
    const form = await visitor.open(`${origin}/dashboard/sales?year=2026`);
    const page = await visitor.submit(form, { login: 'ann', password: 'any' });
    assert.equal(page.status, 200, page.text);
    const said: { url: string; headers: Record<string, string> } = JSON.parse(page.text);
    assert.equal(said.url, '/dashboard/sales?year=2026');
    assert.equal(said.headers['x-consumer-username'], 'ann');
    assert.equal(said.headers.cookie, undefined);
    await refused(await ask('/dashboard/sales'), 401, 'unauthenticated');
    const asked = await visitor.open(`${origin}/dashboard/logout`);
    await visitor.submit(asked, { logout: 'yes' });
    assert.match((await visitor.open(`${origin}/dashboard/sales`)).text, /<form/);
  });

  await step('who signs out at the provider is signed out here', async () => {
    const visitor = new Visitor();
    await visitor.submit(await visitor.open(`${origin}/dashboard/sales`), { login: 'ann', password: 'any' });
    assert.equal((await visitor.open(`${origin}/dashboard/sales`)).status, 200);
    await visitor.submit(await visitor.open(`${issuer.issuer}/session/end`), { logout: 'yes' });
    await eventually(async () => /<form/.test((await visitor.open(`${origin}/dashboard/sales`)).text));
  });

  await step('a key, a password, or nothing at all: each is somebody', async () => {
    const key = await reached(await ask('/shop/tea', { 'x-api-key': secrets.EXAMPLE_API_KEY }));
    assert.deepEqual(
      [key['x-consumer-username'], key['x-consumer-id'], key['x-api-key']],
      ['mobile-app', '4711', undefined],
    );
    const password = await reached(await ask('/shop/tea', basic('kiosk', secrets.EXAMPLE_PASSWORD)));
    assert.equal(password['x-consumer-username'], 'kiosk');
    const nobody = await reached(await ask('/shop/tea', { 'x-consumer-username': 'mobile-app' }));
    assert.deepEqual([nobody['x-consumer-username'], nobody['x-anonymous-consumer']], ['guest', 'true']);
    await refused(await ask('/shop/tea', {}, { method: 'POST' }), 403, 'forbidden');
  });

  await step('a signed request is good once, and for its own body', async () => {
    const body = '{"total":12}';
    const sign = (nonce: string) => ({
      'content-digest': contentDigest(body),
      ...signatureFields(
        {
          method: 'POST',
          authority: `127.0.0.1:${gatewayPort}`,
          target: '/invoices',
          headers: { 'content-digest': contentDigest(body) },
        },
        {
          keyId: 'erp-2026',
          key: Buffer.from(secrets.EXAMPLE_SIGNING_SECRET),
          components: ['@method', '@authority', '@path', 'content-digest'],
          created: Math.floor(Date.now() / 1000),
          more: `;nonce="${nonce}"`,
        },
      ),
    });
    const [first, second] = [sign('1'), sign('2')];
    assert.equal(
      (await reached(await ask('/invoices', first, { method: 'POST', body })))['x-consumer-username'],
      'erp',
    );
    await refused(await ask('/invoices', first, { method: 'POST', body }), 401, 'invalid-credential');
    await refused(
      await ask('/invoices', second, { method: 'POST', body: '{"total":99}' }),
      401,
      'invalid-credential',
    );
  });

  await step('a partner shows a certificate; a former one does not get a word in', async () => {
    const read = (name: string) => readFile(path.join(folder.path, name));
    const call = async (name: string | undefined) => {
      const pair =
        name === undefined ? {} : { cert: await read(`${name}.crt`), key: await read(`${name}.key`) };
      const dispatcher = new Agent({ connect: { ca: await read('authority.crt'), ...pair } });
      try {
        return await (
          await undiciRequest(`https://127.0.0.1:${partnerPort}/parts`, { dispatcher })
        ).body.text();
      } finally {
        await dispatcher.destroy();
      }
    };
    assert.match(await call('north'), /"x-consumer-username": "partner-north"/);
    await assert.rejects(call('former'));
    await assert.rejects(call(undefined));
  });

  await step('a service of our own decides, and the upstream learns whom it found', async () => {
    assert.equal(
      (await reached(await ask('/reports/1', { cookie: 'desk=ben' })))['x-consumer-username'],
      'ben',
    );
    assert.match(await refused(await ask('/reports/1'), 401, 'unauthenticated'), /Cookie realm="desk"/);
  });

  await step('the upstream is shown a token of the gateway’s own, and nothing of the caller’s', async () => {
    const headers = await reached(await ask('/billing/1', { 'x-api-key': secrets.EXAMPLE_API_KEY }));
    assert.match(headers.authorization, /^Bearer ey/);
    assert.equal(headers['x-api-key'], undefined);
  });

  await step(
    'a till proves itself twice, and the upstream has the gateway’s signed word for it',
    async () => {
      const key = { 'x-api-key': secrets.EXAMPLE_KIOSK_KEY };
      const both = { ...key, ...basic('kiosk', secrets.EXAMPLE_PASSWORD) };
      await refused(await ask('/till/1?amount=20', key), 401, 'unauthenticated');
      await refused(await ask('/till/1?amount=900', both), 403, 'forbidden');
      const { authorization } = await reached(await ask('/till/1?amount=20', both));
      const word = { issuer: 'https://gateway.example.com', audience: 'till' };
      const token = authorization.replace(/^Bearer /, '');
      const { payload } = await jwtVerify(token, createPublicKey(signingKey), word);
      assert.equal(payload.sub, 'kiosk');
    },
  );

  await step(
    'behind a balancer the address is what its PROXY header says, and no header of the client’s',
    async () => {
      assert.deepEqual([await through('198.51.100.7'), await through('203.0.113.7')], [200, 403]);
      assert.equal(await through('203.0.114.7'), 403, 'nor is anybody let in from that country');
    },
  );

  await step('a live credential is made, used, and revoked while the gateway runs', async () => {
    const before = (await ask('/shop/tea')).headers.get('x-policy-revision');
    const { secret, credential } = JSON.parse(
      await operator('credentials', 'create', 'live-app', '--kind', 'api-key', '--json'),
    );
    assert.equal(
      (await reached(await ask('/shop/tea', { 'x-api-key': secret })))['x-consumer-username'],
      'live-app',
    );
    await operator('credentials', 'revoke', credential.id);
    for (let i = 0; i < 10; i++)
      await refused(
        await ask('/shop/tea', { 'x-api-key': secret, connection: 'close' }),
        401,
        'invalid-credential',
      );
    assert.equal((await ask('/shop/tea')).headers.get('x-policy-revision'), before);
  });

  await step(
    'a key is changed with an overlap, and a consumer is turned away with all its keys',
    async () => {
      const use = async (key: string) => (await ask('/shop/tea', { 'x-api-key': key })).status;
      const make = async (...args: string[]): Promise<{ secret: string; credential: { id: string } }> =>
        JSON.parse(await operator('credentials', ...args, '--json'));
      await operator('consumers', 'create', 'visitor', '--group', 'customers');
      const old = await make('create', 'visitor', '--expires', '90d');
      const next = await make('rotate', old.credential.id, '--overlap', '1h');
      assert.deepEqual([await use(old.secret), await use(next.secret)], [200, 200]);
      const listed = await operator('credentials', 'list', '--consumer', 'visitor');
      assert.ok(
        listed.includes(old.secret.slice(0, 10)) && !listed.includes(old.secret.slice(0, 11)),
        listed,
      );
      await operator('consumers', 'disable', 'visitor', '--reason', 'unpaid');
      assert.deepEqual([await use(old.secret), await use(next.secret)], [401, 401]);
    },
  );

  await step('a feed that says too much at once is held for a person', async () => {
    feed = `${feed}198.51.100.0/25\n198.51.100.128/25\n`;
    await operator('lists', 'refresh', 'trouble');
    const list = async () => JSON.parse(await operator('lists', 'show', 'trouble', '--json'));
    const held = await list();
    assert.deepEqual([held.entries, held.lastAttempt.outcome], [1, 'held']);
    await operator('lists', 'approve', 'trouble', held.held.version);
    assert.equal((await list()).entries, 3);
    await operator('lists', 'rollback', 'trouble', held.version, '--reason', 'a customer was on it');
    assert.equal((await list()).entries, 1);
    await operator('lists', 'release', 'trouble');
  });

  await step('an address is banned at once, and let in again', async () => {
    const address = '192.0.2.77';
    assert.equal(await through(address), 200);
    await operator('ban', address, '--for', '1h', '--reason', 'a story');
    for (let i = 0; i < 10; i++) assert.equal(await through(address), 403);
    await operator('unban', address);
    assert.equal(await through(address), 200);
  });

  await step('who guesses is slowed down, whatever route it is tried on', async () => {
    const tries: number[] = [];
    while (tries.at(-1) !== 429 && tries.length < 60) {
      const at = tries.length % 2 === 0 ? '/shop/tea' : '/billing/1';
      tries.push((await ask(at, { 'x-api-key': `guess-number-${tries.length}-of-many` })).status);
    }
    assert.deepEqual([tries[0], tries.at(-1)], [401, 429]);
    // Not even the right key is looked at now: who guesses never learns that it was right.
    assert.equal((await ask('/shop/tea', { 'x-api-key': secrets.EXAMPLE_API_KEY })).status, 429);
  });

  await step('its tests pass on the command line', async () => {
    const test = new Program(['test', 'gateway.yaml'], { cwd: folder.path, env: secrets });
    assert.equal(await test.exit(), 0, test.stdout);
  });

  await step('no secret is in a record or in the log', async () => {
    const said = `${await readFile(path.join(folder.path, 'records.jsonl'), 'utf8')}${gateway.stdout}${gateway.stderr}`;
    for (const secret of Object.values(secrets)) assert.equal(said.includes(secret), false);
    // Header and payload of a signed token; the start of one alone may also be that of an id made by chance.
    assert.doesNotMatch(said, /eyJ[\w-]+\.eyJ/);
  });

  await step('it ends in good order', async () => {
    gateway.signal('SIGTERM');
    assert.equal(await gateway.exit(), 0);
  });
} catch (error) {
  console.error(`${gateway.stdout}\n${gateway.stderr}`);
  throw error;
} finally {
  await gateway.stop();
  await issuer.stop();
  for (const player of players) player.stop();
  await folder.remove();
}
