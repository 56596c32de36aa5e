/**
 * Signing in as people do: a real browser, a real OpenID provider, the real program with two workers, and an upstream
 * that shows what it was told.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { after, afterEach, before, describe, it } from 'node:test';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { CLIENT, OidcServer } from '../fixtures/oidc-provider.ts';
import { eventually } from '../fixtures/process.ts';

const CHROMIUM = '/usr/bin/chromium';
const MISSING = existsSync(CHROMIUM) ? false : `${CHROMIUM} is not there; .ci/run installs it`;
const PATIENCE_MS = 20_000;
/** Access tokens live so long, and are renewed when three quarters of it are over. */
const ACCESS_S = 8;

/** What an upstream shows of a request, as a page. */
function show(request: IncomingMessage): string {
  const { url = '', headers } = request;
  const told = {
    url,
    user: headers['x-consumer-username'] ?? '',
    cookie: headers.cookie ?? '',
    authorization: headers.authorization ?? '',
  };
  const text = JSON.stringify(told).replaceAll('<', '&lt;');
  return `<!doctype html><title>app</title><pre id="told">${text}</pre><a id="out" href="/.sallyport/logout">Sign out</a>`;
}

interface Told {
  readonly url: string;
  readonly user: string;
  readonly cookie: string;
  readonly authorization: string;
}

describe('a person signs in', { skip: MISSING }, () => {
  let server: OidcServer;
  let upstream: Server;
  let gateway: Gateway;
  let origin: string;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const seen: IncomingMessage[] = [];

  const documentOf = (upstreamPort: number, port: number, more: readonly unknown[] = []) =>
    proxyDocument({
      port,
      upstream: `http://127.0.0.1:${upstreamPort}`,
      policies: [
        {
          'oidc-login': {
            issuer: server.issuer,
            publicUrl: origin,
            clientId: CLIENT.id,
            clientSecret: 'env:LOGIN_SECRET',
            scopes: ['openid'],
            upstream: 'access-token',
            session: { secrets: ['env:SESSION_SECRET'] },
            backchannelPath: '/.sallyport/backchannel',
          },
        },
        // Nobody of the provider's is in a group: its notices must not be asked for one.
        { acl: { allow: { consumers: ['ann', 'ben'] } } },
        ...more,
      ],
      document: { consumers: [{ name: 'ann' }, { name: 'ben' }] },
    });

  before(async () => {
    const port = await freePort();
    // Another host than the provider's: cookies know no ports.
    origin = `http://localhost:${port}`;
    server = await OidcServer.start({
      redirectUris: [`${origin}/.sallyport/callback`],
      postLogoutRedirectUris: [`${origin}/`],
      backchannelLogoutUri: `${origin}/.sallyport/backchannel`,
      ttl: { access: ACCESS_S },
    });
    upstream = createServer((request, response) => {
      seen.push(request);
      response
        .writeHead(200, { 'content-type': 'text/html', 'set-cookie': 'theme=dark; Path=/' })
        .end(show(request));
    });
    const upstreamPort = await freePort();
    await new Promise<void>((resolve) => upstream.listen(upstreamPort, '127.0.0.1', resolve));
    gateway = await startGateway(documentOf(upstreamPort, port), {
      workers: 2,
      env: { LOGIN_SECRET: CLIENT.secret, SESSION_SECRET: 's'.repeat(32) },
    });
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      // Loopback only: the provider's pages ask for a font from elsewhere.
      args: ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost'],
    });
  });

  after(async () => {
    await browser.close();
    await gateway.stop();
    upstream.closeAllConnections();
    upstream.close();
    await server.stop();
  });

  const open = async (): Promise<void> => {
    context = await browser.newContext();
    page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
  };
  afterEach(() => context.close());

  const go = (path: string) => page.goto(origin + path, { waitUntil: 'domcontentloaded' });

  /** Fills the provider's form in, and comes back. */
  async function signIn(path: string, user: string): Promise<void> {
    await go(path);
    assert.ok(page.url().startsWith(`${server.issuer}/interaction/`), page.url());
    await page.fill('input[name=login]', user);
    await page.fill('input[name=password]', 'anything');
    await page.click('button[type=submit]');
    await page.waitForURL(origin + path, { waitUntil: 'domcontentloaded' });
  }

  async function told(): Promise<Told> {
    return JSON.parse((await page.textContent('#told')) ?? '');
  }

  it('at the provider, and lands on the page that was asked for', async () => {
    await open();
    await signIn('/reports/7?page=2&q=%22x%22', 'ann');
    const { url, user, cookie, authorization } = await told();
    assert.deepEqual([url, user, cookie], ['/reports/7?page=2&q=%22x%22', 'ann', '']);
    assert.match(authorization, /^Bearer \S+$/);
    const [session] = (await context.cookies()).filter(({ name }) => name === 'sallyport');
    assert.deepEqual([session?.httpOnly, session?.sameSite, session?.path], [true, 'Lax', '/']);
    assert.deepEqual(
      (await context.cookies(origin)).map(({ name }) => name).sort(),
      ['sallyport', 'theme'],
      'nothing is left of the sign-in',
    );
  });

  it('and the upstream never gets the gateway’s cookies, and all others', async () => {
    await open();
    seen.length = 0;
    await signIn('/', 'ann');
    await go('/again');
    assert.equal((await told()).cookie, 'theme=dark');
    for (const { headers } of seen) assert.doesNotMatch(headers.cookie ?? '', /sallyport/);
  });

  it('and scripts of the page are signed in with it, while others get a 401', async () => {
    await open();
    await signIn('/', 'ann');
    const statuses = await page.evaluate(async () => {
      const own = await fetch('/api', { method: 'POST', body: 'x' });
      const without = await fetch('/api', { credentials: 'omit' });
      return [own.status, without.status, without.headers.get('www-authenticate')];
    });
    assert.deepEqual(statuses, [200, 401, 'Cookie realm="api", form-action="/.sallyport/login"']);
  });

  it('in several tabs at once', async () => {
    await open();
    const tabs = await Promise.all(
      ['/a', '/b', '/c'].map(async (path) => ({ path, tab: await context.newPage() })),
    );
    await Promise.all(
      tabs.map(({ path, tab }) => tab.goto(origin + path, { waitUntil: 'domcontentloaded' })),
    );
    for (const { path, tab } of tabs) {
      await tab.fill('input[name=login]', 'ann');
      await tab.fill('input[name=password]', 'anything');
      await tab.click('button[type=submit]');
      await tab.waitForURL(origin + path, { waitUntil: 'domcontentloaded' });
    }
  });

  it('and stays so through a reload of the document and a change of the provider’s keys', async () => {
    await open();
    await signIn('/', 'ann');
    const upstreamPort = Number(new URL(`http://${seen.at(-1)?.headers.host}`).port);
    const changed = documentOf(portOf(upstream), gateway.port, [
      { headers: { response: { set: { 'x-second': 'yes' } } } },
    ]);
    assert.ok(upstreamPort > 0);
    await writeFile(gateway.configFile, JSON.stringify(changed));
    await eventually(async () => {
      const answer = await go('/after');
      assert.equal((await told()).user, 'ann');
      return answer?.headers()['x-second'] === 'yes';
    }, PATIENCE_MS);
    await server.rotateKeys();
    await context.clearCookies();
    await signIn('/', 'ben');
    assert.equal((await told()).user, 'ben');
  });

  it('and is renewed while the page is used', async () => {
    await open();
    await signIn('/', 'ann');
    const before = (await told()).authorization;
    const asked = server.count('POST', '/token');
    await eventually(async () => {
      await go('/again');
      return (await told()).authorization !== before;
    }, PATIENCE_MS);
    assert.equal(server.count('POST', '/token'), asked + 1);
    assert.equal((await told()).user, 'ann');
  });

  it('and signs out here and there', async () => {
    await open();
    await signIn('/', 'ann');
    const stolen = await context.cookies(origin);
    await page.click('#out');
    await page.waitForURL(/\/session\/end/, { waitUntil: 'domcontentloaded' });
    await page.click('button[value=yes]');
    // The page after signing out is protected as well: back at the provider's form, nobody signed in.
    await page.waitForURL(/\/interaction\//, { waitUntil: 'domcontentloaded' });
    assert.deepEqual(
      (await context.cookies(origin)).filter(({ name }) => name === 'sallyport'),
      [],
    );
    await context.addCookies(stolen);
    await go('/');
    assert.ok(page.url().startsWith(server.issuer), 'a copy of the cookie is worth nothing');
    await signIn('/', 'ann');
  });

  it('and is signed out by the provider, in every worker', async () => {
    await open();
    await signIn('/', 'ann');
    const elsewhere = await context.newPage();
    elsewhere.setDefaultTimeout(PATIENCE_MS);
    await elsewhere.goto(`${server.issuer}/session/end`, { waitUntil: 'domcontentloaded' });
    await elsewhere.click('button[value=yes]');
    await elsewhere.waitForURL(/\/session\/end\/success/, { waitUntil: 'domcontentloaded' });
    const cookie = (await context.cookies(origin)).map(({ name, value }) => `${name}=${value}`).join('; ');
    assert.match(cookie, /sallyport=/, 'the browser still has its cookie');
    for (let i = 0; i < 8; i++) {
      const headers = { cookie, connection: 'close' };
      assert.equal((await fetch(`${origin}/`, { headers })).status, 401);
    }
    await go('/');
    assert.ok(page.url().startsWith(server.issuer));
  });

  it('not when another site makes the browser ask', async () => {
    await open();
    await signIn('/', 'ann');
    await page.goto(`${server.issuer}/nothing`, { waitUntil: 'domcontentloaded' });
    await page.setContent(`<a id="trick" href="${origin}/.sallyport/logout">a cat</a>`);
    await page.click('#trick');
    await page.waitForURL(/sallyport\/logout/, { waitUntil: 'domcontentloaded' });
    assert.match((await page.textContent('body')) ?? '', /"code":"forbidden"/);
    await go('/');
    assert.equal((await told()).user, 'ann');
  });
});

function portOf(server: Server): number {
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}
