import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, readFile, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LOCAL } from '../fixtures/certificates.ts';
import { freePort } from '../fixtures/gateway.ts';
import { Program, ROOT, temporaryFolder } from '../fixtures/process.ts';

/** A Node on this machine that is too old to serve, or undefined. */
function olderNode(): string | undefined {
  const folders = (process.env.PATH ?? '').split(':');
  return folders.map((folder) => path.join(folder, 'node')).find((node) => existsSync(node) && isOld(node));
}

function isOld(node: string): boolean {
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' });
  const [major, minor] = version.slice(1).split('.').map(Number);
  return major < 24 || (major === 24 && minor < 15);
}

const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

describe('the quickstart', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let ports: { gateway: number; admin: number; demo: number };
  before(async () => {
    folder = await temporaryFolder();
    ports = { gateway: await freePort(), admin: await freePort(), demo: await freePort() };
    const text = await readFile(path.join(ROOT, 'examples/quickstart/gateway.yaml'), 'utf8');
    const moved = text.replace(':8080', `:${ports.gateway}`).replace(':8099', `:${ports.demo}`);
    await writeFile(path.join(folder.path, 'gateway.yaml'), moved);
  });
  after(() => folder.remove());

  const start = (): Program =>
    new Program(
      [
        'run',
        '--demo',
        `127.0.0.1:${ports.demo}`,
        '--admin',
        `127.0.0.1:${ports.admin}`,
        '--records',
        'r.jsonl',
      ],
      { cwd: folder.path },
    );

  it('says where everything is, and its curl line works', async () => {
    const program = start();
    try {
      const [, line] = await program.says(/^ {2}(curl .+)$/m);
      assert.match(program.stdout, new RegExp(`http://127\\.0\\.0\\.1:${ports.gateway}`));
      assert.match(program.stdout, new RegExp(`http://127\\.0\\.0\\.1:${ports.admin}`));
      const answer = execFileSync('sh', ['-c', line.replace('curl ', 'curl -sS ')], {
        cwd: folder.path,
        encoding: 'utf8',
      });
      assert.equal(JSON.parse(answer).headers['x-consumer-username'], 'demo');
    } finally {
      await program.stop();
    }
  });

  it('keeps what it made at the first start, for its owner only, and prints no secret', async () => {
    const files = ['demo.key', '.data/admin-token'].map((name) => path.join(folder.path, name));
    const secrets = await Promise.all(files.map((file) => readFile(file, 'utf8')));
    const program = start();
    try {
      const [, tokenPath] = await program.says(/token\s+(\S+)/);
      assert.equal(path.resolve(folder.path, tokenPath), files[1]);
      await program.says(/curl/);
      for (const [i, file] of files.entries()) {
        assert.equal(await readFile(file, 'utf8'), secrets[i]);
        assert.equal(await modeOf(file), 0o600);
        assert.ok(!`${program.stdout}${program.stderr}`.includes(secrets[i].trim()));
      }
    } finally {
      await program.stop();
    }
  });

  it('is refused while another one has the port', async () => {
    const program = start();
    try {
      await program.says(/curl/);
      const second = new Program(
        ['run', '--data', 'other', '--admin', 'off', '--demo', `127.0.0.1:${await freePort()}`],
        { cwd: folder.path },
      );
      assert.equal(await second.exit(), 1);
      assert.match(second.stderr, /listeners\[0\]\.address.+in use/);
    } finally {
      await program.stop();
    }
  });
});

describe('a demo upstream beside a document of one’s own', () => {
  it('makes no key that nobody asked for, and tells of none', async () => {
    const folder = await temporaryFolder();
    const target = await freePort();
    const document = `sallyport: 1
listeners: [{ name: public, address: "127.0.0.1:${await freePort()}" }]
upstreams: { demo: { targets: ["http://127.0.0.1:${target}"] } }
routes: [{ name: all, match: { path: /** }, upstream: demo, policies: [{ api-key: {} }] }]
`;
    await writeFile(path.join(folder.path, 'gateway.yaml'), document);
    const program = new Program(
      ['run', '--admin', 'off', '--demo', `127.0.0.1:${target}`, '--records', 'none'],
      {
        cwd: folder.path,
      },
    );
    try {
      await program.says(/revision .+ workers?\n/);
      assert.doesNotMatch(program.stdout, /curl/);
      await assert.rejects(stat(path.join(folder.path, 'demo.key')), { code: 'ENOENT' });
    } finally {
      await program.stop();
      await folder.remove();
    }
  });
});

describe('a document that cannot be served at the start', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let port: number;
  before(async () => {
    folder = await temporaryFolder();
    port = await freePort();
  });
  after(() => folder.remove());

  const write = (text: string) => writeFile(path.join(folder.path, 'gateway.yaml'), text);
  const sound = () => `sallyport: 1\nlisteners: [{ name: public, address: "127.0.0.1:${port}" }]\n`;
  const start = (admin = 'off') => new Program(['run', '--admin', admin], { cwd: folder.path });
  const status = async () => (await fetch(`http://127.0.0.1:${port}/`)).status;

  it('ends the start while there is no other', async () => {
    await write('sallyport: 2\n');
    assert.equal(await start().exit(), 1);
  });

  it('gives way to the last good revision, loudly, and readiness says so', async () => {
    await write(sound());
    const good = start();
    await good.says(/Sallyport serves/);
    await good.stop();
    await write('sallyport: 2\n');
    const adminPort = await freePort();
    const program = start(`127.0.0.1:${adminPort}`);
    try {
      await program.says(/Sallyport serves/);
      assert.match(program.stderr, /"event":"serving-last-good".+sallyport/);
      assert.match(program.stderr, /gateway\.yaml:1:1\n {2}sallyport: must be 1/);
      assert.match(program.stderr, /serves the LAST GOOD REVISION, not gateway\.yaml/);
      assert.match(program.stderr, /revision {2}[0-9a-f]{12} of \d{4}-\d\d-\d\dT/);
      assert.equal(await status(), 404);
      const ready = await fetch(`http://127.0.0.1:${adminPort}/readyz`);
      assert.equal(ready.status, 200);
      assert.match(await ready.text(), /last-good|refused/);
    } finally {
      await program.stop();
    }
  });
});

describe('an admin side beyond loopback', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  before(async () => {
    folder = await temporaryFolder();
    await writeFile(
      path.join(folder.path, 'gateway.yaml'),
      `sallyport: 1\nlisteners: [{ name: public, address: "127.0.0.1:${await freePort()}" }]\n`,
    );
  });
  after(() => folder.remove());

  /** Status of a health check that names `host`. */
  const statusFor = async (port: number, host: string): Promise<number | undefined> => {
    const asked = request({ port, path: '/healthz', headers: { host } }).end();
    const [answer] = await once(asked, 'response');
    answer.resume();
    return answer.statusCode;
  };

  it('answers to the names it was given and to no other, and warns of what is not encrypted', async () => {
    const port = await freePort();
    const names = ['--admin-name', 'gateway.example.com', '--admin-name', 'Second.example.com'];
    const program = new Program(['run', '--admin', `0.0.0.0:${port}`, ...names], { cwd: folder.path });
    try {
      await program.says(/WARNING .+ admin side/);
      for (const [host, status] of [
        ['other.example.com', 400],
        ['gateway.example.com.evil.example', 400],
        ['gateway.example.com', 200],
        [`second.example.com:${port}`, 200],
        [`127.0.0.1:${port}`, 200],
      ] as const) {
        assert.equal(await statusFor(port, host), status, host);
      }
    } finally {
      await program.stop();
    }
  });

  it('is no reason to warn on loopback', async () => {
    const admin = `127.0.0.1:${await freePort()}`;
    const program = new Program(['run', '--admin', admin], { cwd: folder.path });
    try {
      await program.says(/revision {2}/);
      assert.doesNotMatch(`${program.stdout}${program.stderr}`, /WARNING/);
    } finally {
      await program.stop();
    }
  });
});

describe('a listener with TLS', () => {
  it('is shown as https', async () => {
    const folder = await temporaryFolder();
    const port = await freePort();
    await writeFile(path.join(folder.path, 'local.pem'), LOCAL.cert + LOCAL.key);
    await writeFile(
      path.join(folder.path, 'gateway.yaml'),
      `sallyport: 1
listeners:
  - name: public
    address: "127.0.0.1:${port}"
    tls: { certificates: [{ cert: file:./local.pem, key: file:./local.pem }] }
`,
    );
    const program = new Program(['run', '--admin', 'off'], { cwd: folder.path });
    try {
      await program.says(new RegExp(`gateway +https://127\\.0\\.0\\.1:${port} `));
    } finally {
      await program.stop();
      await folder.remove();
    }
  });
});

describe('the runtime', () => {
  const old = olderNode();

  it('is the bundled one when started by an older Node', {
    skip: old === undefined && 'no older Node is installed here',
  }, async () => {
    const program = new Program(['version'], { node: old ?? '' });
    assert.equal(await program.exit(), 0, program.stderr);
    assert.match(program.stdout, /^node 24\./m);
  });

  it('passes exit codes and signals on when started by an older Node', {
    skip: old === undefined && 'no older Node is installed here',
  }, async () => {
    const folder = await temporaryFolder();
    const wrong = new Program(['run', '--workers', '0'], { node: old ?? '' });
    assert.equal(await wrong.exit(), 2);
    await writeFile(
      path.join(folder.path, 'gateway.yaml'),
      `sallyport: 1\nlisteners: [{ name: public, address: "127.0.0.1:${await freePort()}" }]\n`,
    );
    const program = new Program(['run', '--admin', 'off'], { node: old ?? '', cwd: folder.path });
    await program.says(/Sallyport serves/);
    program.signal('SIGTERM');
    assert.equal(await program.exit(), 0, program.stderr);
    assert.match(program.stderr, /"event":"ended"/);
    await folder.remove();
  });

  it('is refused with the way to get one where none is bundled', {
    skip: old === undefined && 'no older Node is installed here',
  }, async () => {
    const folder = await temporaryFolder();
    await cp(path.join(ROOT, 'bin'), path.join(folder.path, 'bin'), { recursive: true });
    const program = new Program(['version'], {
      node: old ?? '',
      program: path.join(folder.path, 'bin/sallyport'),
    });
    assert.equal(await program.exit(), 1);
    assert.match(program.stderr, /needs Node 24\.15 or later.+\n.*npm install/);
    await folder.remove();
  });

  it('keeps V8 from backtracking for seconds, in this thread and in workers', async () => {
    const folder = await temporaryFolder();
    const script = path.join(folder.path, 'probe.mjs');
    const slow = `/^(a+)+b$/.test('a'.repeat(60))`;
    await writeFile(
      script,
      `import { main } from ${JSON.stringify(path.join(ROOT, 'src/main.ts'))};
       import { Worker } from 'node:worker_threads';
       await main(['node', 'sallyport', 'version']);
       ${slow};
       new Worker(${JSON.stringify(`${slow}; console.log('worker done')`)}, { eval: true });`,
    );
    const program = new Program([], { program: script });
    await program.says(/worker done/);
    assert.equal(await program.exit(), 0);
    await folder.remove();
  });
});
