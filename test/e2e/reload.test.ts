import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort, type Gateway, startGateway } from '../fixtures/gateway.ts';
import { eventually, Program, temporaryFolder } from '../fixtures/process.ts';

const KEYS = ['the-first-key-0123456789', 'the-second-key-0123456789'];

describe('a changed document', () => {
  let gateway: Gateway;
  let port: number;

  /** Answers by itself, so that the mark says which revision judged. */
  const document = (mark: string) => ({
    sallyport: 1,
    listeners: [
      {
        name: 'public',
        address: `127.0.0.1:${port}`,
        policies: [{ headers: { response: { set: { 'x-mark': mark } } } }],
      },
    ],
    upstreams: { nowhere: { targets: ['http://127.0.0.1:9'] } },
    routes: [{ name: 'a', match: { path: '/a' }, upstream: 'nowhere', policies: [{ 'api-key': {} }] }],
    consumers: [{ name: 'c', credentials: [{ 'api-key': { secret: 'file:./key' } }] }],
  });

  before(async () => {
    port = await freePort();
    gateway = await startGateway(document('start'), {
      workers: 2,
      admin: true,
      files: { key: KEYS[0] },
    });
  });
  after(() => gateway.stop());

  /** The marks that many connections see: one each, since every connection may meet another worker. */
  async function marks(): Promise<string[]> {
    const answers = await Promise.all(Array.from({ length: 16 }, () => ask({})));
    return [...new Set(answers.map((a) => a.headers.get('x-mark') ?? ''))];
  }

  const ask = (headers: Record<string, string>) =>
    fetch(`http://127.0.0.1:${port}/a`, { headers: { connection: 'close', ...headers } });

  const isServed = (mark: string) => async (): Promise<boolean> => {
    const seen = await marks();
    return seen.length === 1 && seen[0] === mark;
  };

  async function status(): Promise<{
    revision: string;
    refusal: { origin: string; issues: unknown[] } | null;
  }> {
    return JSON.parse(await (await gateway.admin('GET', '/api/status')).text());
  }

  it('is served when it is written in place', async () => {
    await writeFile(gateway.configFile, JSON.stringify(document('in place')));
    await eventually(isServed('in place'));
  });

  it('is served when another file takes its place', async () => {
    const other = path.join(gateway.folder, 'other.tmp');
    await writeFile(other, JSON.stringify(document('renamed')));
    await rename(other, gateway.configFile);
    await eventually(isServed('renamed'));
  });

  it('is served when the API is given it, and the answer waits for that', async () => {
    const answer = await gateway.admin('POST', '/api/revisions', document('api'));
    assert.equal(answer.status, 201, await answer.text());
    assert.deepEqual(await marks(), ['api']);
  });

  it('is loaded on SIGHUP, with secrets that changed though it did not', async () => {
    await writeFile(gateway.configFile, JSON.stringify(document('hup')));
    await eventually(isServed('hup'));
    assert.equal((await ask({ 'x-api-key': KEYS[1] })).status, 401);
    const { revision } = await status();
    await writeFile(path.join(gateway.folder, 'key'), KEYS[1]);
    gateway.process.kill('SIGHUP');
    await eventually(async () => /"event":"revision-\w+".+"origin":"signal"/.test(gateway.output));
    assert.equal((await ask({ 'x-api-key': KEYS[1] })).status, 502);
    assert.equal((await ask({ 'x-api-key': KEYS[0] })).status, 401);
    assert.equal((await status()).revision, revision, 'a secret is no part of a revision');
  });

  it('leaves the old one in service when it is bad, and says why', async () => {
    const { revision } = await status();
    await writeFile(gateway.configFile, '{ "sallyport": 1, "lisseners": [] }');
    await eventually(async () => (await status()).refusal !== null);
    const now = await status();
    assert.equal(now.revision, revision);
    assert.equal(now.refusal?.origin, 'file');
    assert.match(JSON.stringify(now.refusal?.issues), /lisseners/);
    assert.deepEqual(await marks(), ['hup']);
    assert.match(gateway.output, /"event":"revision-refused".+lisseners/);
    const metrics = await (await gateway.admin('GET', '/metrics')).text();
    assert.match(metrics, /sallyport_config_reloads_total\{result="refused"\} 1/);
    assert.match(metrics, new RegExp(`sallyport_config_info\\{revision="${revision}"\\} 1`));
  });

  it('clears the refusal when it is good again', async () => {
    await writeFile(gateway.configFile, JSON.stringify(document('good again')));
    await eventually(isServed('good again'));
    await eventually(async () => (await status()).refusal === null);
  });
});

describe('a changed file that the document names', () => {
  const EVERYBODY = '127.0.0.0/8\n';
  const NOBODY = '203.0.113.0/24\n';
  let gateway: Gateway;
  let port: number;

  const document = (mark: string) => ({
    sallyport: 1,
    listeners: [
      {
        name: 'public',
        address: `127.0.0.1:${port}`,
        policies: [
          { headers: { response: { set: { 'x-mark': mark } } } },
          { 'ip-list': { denyFile: './deny.txt' } },
        ],
      },
    ],
    upstreams: { nowhere: { targets: ['http://127.0.0.1:9'] } },
    routes: [{ name: 'a', match: { path: '/a' }, upstream: 'nowhere', policies: [{ 'api-key': {} }] }],
    consumers: [{ name: 'c', credentials: [{ 'api-key': { secret: 'file:./key' } }] }],
  });

  before(async () => {
    port = await freePort();
    gateway = await startGateway(document('disk'), {
      admin: true,
      files: { key: KEYS[0], 'deny.txt': NOBODY },
    });
  });
  after(() => gateway.stop());

  const write = (name: string, text: string) => writeFile(path.join(gateway.folder, name), text);
  const ask = (key: string) =>
    fetch(`http://127.0.0.1:${port}/a`, { headers: { connection: 'close', 'x-api-key': key } });
  const answers = (key: string, status: number) => eventually(async () => (await ask(key)).status === status);

  it('is taken by itself, and so is the one after it', async () => {
    await answers(KEYS[0], 502);
    await write('deny.txt', EVERYBODY);
    await answers(KEYS[0], 403);
    await write('deny.txt', NOBODY);
    await answers(KEYS[0], 502);
  });

  it('is taken when it is a secret', async () => {
    await write('key', KEYS[1]);
    await answers(KEYS[1], 502);
    assert.equal((await ask(KEYS[0])).status, 401);
  });

  it('leaves the old one in force when it is bad', async () => {
    await write('deny.txt', 'nonsense');
    await eventually(async () => gateway.output.includes('"event":"revision-refused"'));
    assert.equal((await ask(KEYS[1])).status, 502);
  });

  it('does not bring the document on disk back where the API has replaced it', async () => {
    await write('deny.txt', NOBODY);
    const answer = await gateway.admin('POST', '/api/revisions', document('api'));
    assert.equal(answer.status, 201, await answer.text());
    for (const [text, status] of [
      [EVERYBODY, 403],
      [NOBODY, 502],
      [EVERYBODY, 403],
    ] as const) {
      await write('deny.txt', text);
      await answers(KEYS[1], status);
      if (status === 502) assert.equal((await ask(KEYS[1])).headers.get('x-mark'), 'api');
    }
  });
});

describe('a document that is made good again', () => {
  it('is what readiness names, though it is that of the last good revision', async () => {
    const folder = await temporaryFolder();
    const adminPort = await freePort();
    const file = path.join(folder.path, 'gateway.yaml');
    const good = `sallyport: 1\nlisteners: [{ name: public, address: "127.0.0.1:${await freePort()}" }]\n`;
    const start = async () => {
      const args = ['run', '--workers', '1', '--admin', `127.0.0.1:${adminPort}`];
      const program = new Program(args, { cwd: folder.path });
      await program.says(/revision {2}/);
      return program;
    };
    const readiness = async (): Promise<{ source: string; reason: string | null }> =>
      JSON.parse(await (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).text());
    await writeFile(file, good);
    await (await start()).stop();
    await writeFile(file, 'sallyport: 2\n');
    const program = await start();
    try {
      assert.equal((await readiness()).source, 'last-good');
      await writeFile(file, good);
      await eventually(async () => (await readiness()).source === 'document');
      assert.equal((await readiness()).reason, null);
    } finally {
      await program.stop();
      await folder.remove();
    }
  });
});
