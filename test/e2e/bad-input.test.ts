import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Program, temporaryFolder } from '../fixtures/process.ts';

interface Case {
  readonly name: string;
  /** The document; `PORT` and `TAKEN` stand for a free port and for one in use. */
  readonly document?: string;
  readonly args?: readonly string[];
  readonly exit: number;
  /** Everything that has to be said: where, what, and the fix. */
  readonly says: readonly RegExp[];
}

const listener = 'sallyport: 1\nlisteners:\n  - { name: public, address: "127.0.0.1:PORT" }\n';
const sound = `${listener}upstreams:\n  origin: { targets: ["http://127.0.0.1:9"] }\n`;

const CASES: readonly Case[] = [
  { name: 'no document', args: ['--config', 'absent.yaml'], exit: 1, says: [/absent\.yaml cannot be read/] },
  { name: 'no YAML', document: 'sallyport: 1\n  listeners: [', exit: 1, says: [/gateway\.yaml:2/] },
  { name: 'an empty document', document: '', exit: 1, says: [/is empty/, /start with "sallyport: 1"/] },
  {
    name: 'an unknown key',
    document: `${sound}rotues: []\n`,
    exit: 1,
    says: [/gateway\.yaml:6/, /rotues/, /did you mean "routes"/],
  },
  {
    name: 'an unknown policy',
    document: `${sound}routes:\n  - { name: a, match: { path: /a }, upstream: origin, policies: [{ rate-limt: {} }] }\n`,
    exit: 1,
    says: [/gateway\.yaml:7/, /routes\[0\]\.policies\[0\]/, /did you mean "rate-limit"/],
  },
  {
    name: 'two routes of one name',
    document: `${sound}routes:\n  - { name: a, match: { path: /a }, upstream: origin }\n  - { name: a, match: { path: /b }, upstream: origin }\n`,
    exit: 1,
    says: [/routes\[1\]\.name/],
  },
  {
    name: 'an unknown upstream',
    document: `${sound}routes:\n  - { name: a, match: { path: /a }, upstream: orgin }\n`,
    exit: 1,
    says: [/routes\[0\]\.upstream/, /did you mean "origin"/],
  },
  {
    name: 'a secret that is not there',
    document: `${sound}consumers:\n  - { name: c, credentials: [{ api-key: { secret: env:NOT_THERE } }] }\n`,
    exit: 1,
    says: [/consumers\[0\]/, /NOT_THERE/],
  },
  {
    name: 'tests that fail',
    document: `${sound}tests:\n  - { name: there is a route, request: { path: /a }, expect: { forwarded: true } }\n`,
    exit: 1,
    says: [/gateway\.yaml:7:5/, /tests\[0\]/, /there is a route/, /mend the policies/],
  },
  {
    name: 'a port in use',
    document: sound.replace('PORT', 'TAKEN'),
    exit: 1,
    says: [/gateway\.yaml:3/, /listeners\[0\]\.address/, /in use/, /choose another/],
  },
  {
    name: 'an admin port in use',
    document: sound,
    args: ['--admin', '127.0.0.1:TAKEN'],
    exit: 1,
    says: [/--admin/, /in use/],
  },
  {
    name: 'an address of another machine',
    document: sound.replace('127.0.0.1:PORT', '192.0.2.1:9999'),
    exit: 1,
    says: [/listeners/, /192\.0\.2\.1/, /no such address/],
  },
  {
    name: 'records that cannot be written',
    document: sound,
    args: ['--records', 'absent/records.jsonl'],
    exit: 1,
    says: [/records/, /--records/],
  },
  {
    name: 'a data folder that is a file',
    document: sound,
    args: ['--data', 'gateway.yaml'],
    exit: 1,
    says: [/data directory/],
  },
  { name: 'an unknown option', args: ['--wrokers', '2'], exit: 2, says: [/unknown option/, /--workers/] },
  {
    name: 'a table of counters without places',
    args: ['--counter-keys', '0'],
    exit: 2,
    says: [/number from 1024/],
  },
  { name: 'no workers', args: ['--workers', '0'], exit: 2, says: [/number from 1/] },
  { name: 'an admin address that is none', args: ['--admin', 'nowhere'], exit: 2, says: [/HOST:PORT/] },
  {
    name: 'an admin name that is a URL',
    args: ['--admin-name', 'http://gateway.example.com'],
    exit: 2,
    says: [/--admin-name/, /such as gateway\.example\.com/],
  },
  { name: 'a drain time that is none', args: ['--drain', 'forever'], exit: 2, says: [/such as 30s/] },
];

const STACK = /^\s+at .+:\d+/m;

describe('bad input ends the start with one clear reason', { concurrency: 2 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let taken: Server;
  before(async () => {
    folder = await temporaryFolder();
    taken = createServer((socket) => socket.destroy()).listen({
      host: '127.0.0.1',
      port: 0,
      reusePort: true,
    });
    await once(taken, 'listening');
  });
  after(async () => {
    taken.close();
    await folder.remove();
  });

  CASES.forEach(({ name, document, args = [], exit, says }, i) => {
    it(name, async () => {
      const { port } = taken.address() as AddressInfo;
      const fill = (text: string) => text.replaceAll('TAKEN', String(port)).replaceAll('PORT', '0');
      const cwd = path.join(folder.path, String(i));
      await mkdir(cwd);
      if (document !== undefined) await writeFile(path.join(cwd, 'gateway.yaml'), fill(document));
      const base = ['run', '--config', 'gateway.yaml', '--data', 'data', '--admin', 'off', '--workers', '1'];
      const program = new Program([...base, ...args.map(fill)], { cwd });
      assert.equal(await program.exit(), exit, program.stderr);
      for (const pattern of says) assert.match(program.stderr, pattern);
      assert.doesNotMatch(program.stderr, STACK);
      assert.equal(program.stdout, '');
    });
  });

  const others: readonly [name: string, args: readonly string[], exit: number, says: RegExp][] = [
    ['an unknown command', ['rnu'], 2, /did you mean run/i],
    ['a check without a file', ['check'], 2, /missing required argument/],
    ['no command', [], 2, /Usage: sallyport/],
  ];
  for (const [name, args, exit, says] of others) {
    it(name, async () => {
      const program = new Program(args);
      assert.equal(await program.exit(), exit, program.stderr);
      assert.match(program.stderr, says);
      assert.doesNotMatch(program.stderr, STACK);
    });
  }

  it('the version is no error', async () => {
    const [option, command] = [new Program(['--version']), new Program(['version'])];
    assert.equal(await option.exit(), 0, option.stderr);
    assert.equal(await command.exit(), 0);
    assert.equal(option.stdout, command.stdout);
    assert.equal(option.stderr, '');
  });

  it('help is no error and tells the exit codes', async () => {
    for (const args of [['--help'], ['run', '--help'], ['help', 'check']]) {
      const program = new Program(args);
      assert.equal(await program.exit(), 0);
      assert.match(program.stdout, /Exit codes:/);
    }
  });
});
