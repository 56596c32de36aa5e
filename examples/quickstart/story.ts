/** The quickstart as a user meets it: started by the command line, asked over HTTP, changed while it serves. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { freePort } from '../../test/fixtures/gateway.ts';
import { eventually, Program, temporaryFolder } from '../../test/fixtures/process.ts';

const folder = await temporaryFolder();
const ports = { gateway: await freePort(), admin: await freePort(), demo: await freePort() };
const file = path.join(folder.path, 'gateway.yaml');
const origin = `http://127.0.0.1:${ports.gateway}`;

const original = await readFile(path.join(import.meta.dirname, 'gateway.yaml'), 'utf8');
const text = original.replace(':8080', `:${ports.gateway}`).replace(':8099', `:${ports.demo}`);
await writeFile(file, text);

const gateway = new Program(
  [
    'run',
    '--demo',
    `127.0.0.1:${ports.demo}`,
    '--admin',
    `127.0.0.1:${ports.admin}`,
    '--records',
    'records.jsonl',
  ],
  { cwd: folder.path },
);

/** A step of the story; the first that does not hold ends it. */
async function step(what: string, holds: () => Promise<void>): Promise<void> {
  await holds();
  console.log(`ok  ${what}`);
}

async function asked(at: string, init: RequestInit = {}): Promise<Response> {
  return await fetch(`${origin}${at}`, init);
}

async function withKey(at: string, init: { method?: string; body?: string } = {}): Promise<Response> {
  const key = (await readFile(path.join(folder.path, 'demo.key'), 'utf8')).trim();
  return await asked(at, { ...init, headers: { 'x-api-key': key, 'content-type': 'application/json' } });
}

const order = (body: unknown) => withKey('/orders', { method: 'POST', body: JSON.stringify(body) });

async function codeOf(response: Response): Promise<unknown> {
  const problem: { code?: unknown } = JSON.parse(await response.text());
  return problem.code;
}

async function records(): Promise<string> {
  return await readFile(path.join(folder.path, 'records.jsonl'), 'utf8');
}

try {
  await step('it starts and says what to try, and that works', async () => {
    const [, line] = await gateway.says(/^ {2}(curl .+)$/m);
    const answer = execFileSync('sh', ['-c', line.replace('curl ', 'curl -sS ')], { cwd: folder.path });
    assert.match(answer.toString(), /"x-greeted-by": "sallyport"/);
  });

  await step('a stranger is refused, and told how to come in', async () => {
    const response = await asked('/hello');
    assert.equal(response.status, 401);
    assert.match(response.headers.get('www-authenticate') ?? '', /^Key realm=/);
    assert.equal(response.headers.get('content-type'), 'application/problem+json');
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(await codeOf(response), 'unauthenticated');
  });

  await step('a page of the known origin may ask, another may not', async () => {
    const preflight = (from: string) =>
      asked('/hello', {
        method: 'OPTIONS',
        headers: {
          origin: from,
          'access-control-request-method': 'GET',
          'access-control-request-headers': 'x-api-key',
        },
      });
    const known = await preflight('http://localhost:5173');
    assert.equal(known.headers.get('access-control-allow-origin'), 'http://localhost:5173');
    const other = await preflight('http://evil.example');
    assert.equal(other.headers.get('access-control-allow-origin'), null);
  });

  await step(
    'an order that is none is refused; a good one passes the rule on trial, which is recorded',
    async () => {
      const bad = await order({ item: 'tea' });
      assert.equal(bad.status, 400);
      assert.equal(await codeOf(bad), 'invalid-request');
      assert.equal((await order({ item: 'tea', quantity: 2 })).status, 200);
      await eventually(async () =>
        (await records()).includes('"mode":"shadow","phase":"request","outcome":"reject"'),
      );
    },
  );

  await step('reports are for auditors', async () => {
    assert.equal((await withKey('/reports/2026')).status, 403);
  });

  await step('the eleventh greeting in a minute is one too many', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) {
      const response = await withKey('/hello');
      statuses.push(response.status);
      if (response.status === 429) assert.ok(Number(response.headers.get('retry-after')) >= 1);
    }
    assert.equal(statuses[0], 200);
    assert.equal(statuses.at(-1), 429);
  });

  await step('a changed document is served without a restart', async () => {
    const before = (await asked('/hello')).headers.get('x-policy-revision');
    await writeFile(
      file,
      text.replace('limit: 10, window: 1m', 'limit: 1000, window: 1m').replace(/repeat: 11/, 'repeat: 1001'),
    );
    await eventually(async () => (await withKey('/hello')).status === 200);
    assert.notEqual((await asked('/hello')).headers.get('x-policy-revision'), before);
  });

  await step('one that fails its own tests is refused, and the one before serves on', async () => {
    const before = (await asked('/hello')).headers.get('x-policy-revision');
    await writeFile(file, text.replace('- api-key: {}\n      - rate-limit', '- rate-limit'));
    await gateway.says(
      /"event":"revision-refused".+strangers are refused|"event":"revision-refused".+identity/,
    );
    assert.equal((await asked('/hello')).headers.get('x-policy-revision'), before);
  });

  await step('its tests pass on the command line', async () => {
    await writeFile(file, text);
    const test = new Program(['test', 'gateway.yaml'], { cwd: folder.path });
    assert.equal(await test.exit(), 0, test.stdout);
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
  await folder.remove();
}
