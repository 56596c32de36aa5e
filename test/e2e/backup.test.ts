/** A person backs a store up while it is served from, and puts it back. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { PostgresServer } from '../fixtures/postgres-server.ts';
import { Program, temporaryFolder } from '../fixtures/process.ts';

const MASTER_KEY = Buffer.alloc(32, 9).toString('base64');
const PASSWORD = 'STORE_PASSWORD';

let server: PostgresServer;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const origin = createServer((_, response) => response.end('here'));

before(async () => {
  server = await PostgresServer.start();
  folder = await temporaryFolder();
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
});
after(async () => {
  origin.close();
  origin.closeAllConnections();
  await server.stop();
  await folder.remove();
});

type Store = readonly string[];
const inPostgres = (schema: string): Store => [
  '--store',
  server.url(schema),
  '--store-password',
  `env:${PASSWORD}`,
];

/** `port`: of the document, which is the same for all who have one store: what that says is live is served. */
async function start(store: Store, port: number): Promise<Gateway> {
  const upstream = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
  const document = proxyDocument({ port, upstream, policies: [{ 'api-key': {} }] });
  return await startGateway(document, {
    admin: true,
    arguments: [...store, '--master-key', 'env:MASTER_KEY', '--drain', '1s'],
    env: { [PASSWORD]: server.password, MASTER_KEY },
  });
}

async function command(args: readonly string[]): Promise<{ code: number | null; said: string }> {
  const program = new Program(args, { cwd: folder.path, env: { [PASSWORD]: server.password } });
  const code = await program.exit();
  return { code, said: program.stdout + program.stderr };
}

async function makeKey(gateway: Gateway): Promise<string> {
  await gateway.admin('POST', '/api/consumers', { name: 'app', groups: [] });
  const answer = await gateway.admin('POST', '/api/credentials', { consumer: 'app', kind: 'api-key' });
  assert.equal(answer.status, 201);
  return /"secret":"([^"]+)"/.exec(await answer.text())?.[1] ?? '';
}

function get({ port }: Gateway, secret: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'x-api-key': secret, connection: 'close' };
    const asked = request({ host: '127.0.0.1', port, path: '/', headers });
    asked.on('response', (response) => resolve(response.resume().statusCode ?? 0));
    asked.on('error', reject).end();
  });
}

const data = (gateway: Gateway): Store => ['--data', join(gateway.folder, 'data')];

describe('a backup', () => {
  const cases = [
    ['on disk', () => []],
    ['in Postgres', () => inPostgres(server.newSchema())],
  ] as const;
  for (const [title, store] of cases) {
    test(`of a store ${title}: made while it serves, and put back when it does not`, async () => {
      const place = store();
      const port = await freePort();
      const gateway = await start(place, port);
      const file = join(folder.path, `${title}.backup`);
      try {
        const secret = await makeKey(gateway);
        const at = place.length === 0 ? data(gateway) : place;
        const made = await command(['backup', file, ...at]);
        assert.deepEqual([made.code, /Backed up/.test(made.said)], [0, true], made.said);
        const again = await command(['backup', file, ...at]);
        assert.deepEqual([again.code, /file of that name/.test(again.said)], [1, true], again.said);

        const used = await command(['restore', file, '--replace', ...at]);
        assert.deepEqual([used.code, /gateway/.test(used.said)], [1, true], used.said);
        assert.equal(await get(gateway, secret), 200, 'nothing has happened');

        await gateway.admin('DELETE', '/api/consumers/app');
        assert.equal(await get(gateway, secret), 401);
        const ended = once(gateway.process, 'exit');
        gateway.process.kill('SIGTERM');
        await ended;

        const full = await command(['restore', file, ...at]);
        assert.deepEqual([full.code, /--replace/.test(full.said)], [1, true], full.said);
        const done = await command(['restore', file, '--replace', ...at]);
        assert.deepEqual([done.code, /Restored/.test(done.said)], [0, true], done.said);
        assert.doesNotMatch(done.said, new RegExp(server.password));

        // Into a node of its own, and into the other kind of store.
        const other = inPostgres(server.newSchema());
        assert.equal((await command(['restore', file, ...other])).code, 0);
        for (const one of place.length === 0 ? [other] : [place, other]) {
          const next = await start(one, port);
          assert.equal(await get(next, secret), 200);
          const audit = await next.admin('GET', '/api/audit?limit=50');
          assert.match(await audit.text(), /"action":"store.restore"/);
          await next.stop();
        }
      } finally {
        await gateway.stop();
      }
    });
  }
});
