import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Command, CommanderError } from 'commander';
import { makeWorld, TOKEN } from '../../test/fixtures/admin.ts';
import { makeCallers, NOW } from '../../test/fixtures/callers.ts';
import { LOCAL } from '../../test/fixtures/certificates.ts';
import { ConfigError } from '../errors.ts';
import { openSqliteStore } from '../store/index.ts';
import { addConsumerCommands } from './consumers.ts';
import { addCredentialCommands } from './credentials.ts';
import type { Terminal } from './terminal.ts';
import { addTokenCommands } from './tokens.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-callers-'));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'admin-token'), `${TOKEN}\n`);
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

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

/** A gateway's admin side, and what runs commands against it. */
async function world() {
  const own = openSqliteStore(':memory:');
  const store = () => own;
  const made = await makeCallers({ store });
  made.declare([{ name: 'declared', groups: ['g'], credentials: [{ 'api-key': { secret: 'env:A' } }] }]);
  const { app } = await makeWorld({ store, callers: made.callers });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const [address] = app.addresses();
  assert.ok(typeof address === 'object');
  const at = ['--admin', `127.0.0.1:${address.port}`, '--data', folder];
  const run = async (...args: string[]) => {
    const terminal = new Captured();
    const program = new Command('sallyport');
    addConsumerCommands(program, terminal);
    addCredentialCommands(program, terminal);
    addTokenCommands(program, terminal);
    for (const command of [
      program,
      ...program.commands,
      ...program.commands.flatMap(({ commands }) => commands),
    ]) {
      command.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
    }
    await program.parseAsync([...args, ...at], { from: 'user' });
    const { exitCode } = process;
    process.exitCode = 0;
    return { code: exitCode, stdout: terminal.stdout, stderr: terminal.stderr };
  };
  const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).stdout);
  return { ...made, run, json };
}

describe('wrong usage', () => {
  it('is told before anything is asked', async () => {
    const { run, store } = await world();
    const cases = [
      ['consumers', 'create'],
      ['consumers', 'list', '--limit', 'many'],
      ['consumers', 'update', 'app'],
      ['credentials', 'create', 'app', '--kind', 'jwt'],
      ['credentials', 'create', 'app', '--expires', 'tomorrow'],
      ['credentials', 'rotate', 'cr-1', '--overlap', 'a day'],
      ['credentials', 'list', '--before', '0'],
    ];
    for (const args of cases) await assert.rejects(run(...args), CommanderError, args.join(' '));
    const config = [
      ['credentials', 'create', 'app', '--kind', 'mtls', '--certificate', join(folder, 'none.pem')],
      ['tokens', 'revoke'],
      ['tokens', 'revoke', '--issuer', 'i', '--id', 'j'],
      ['tokens', 'revoke', file('no.jwt', 'this is no token')],
      ['tokens', 'revoke', file('bare.jwt', `x.${Buffer.from('{"iss":"i"}').toString('base64url')}.x`)],
      ['tokens', 'revoke', file('number.jwt', `x.${Buffer.from('{"iss":1}').toString('base64url')}.x`)],
    ];
    for (const args of config) await assert.rejects(run(...args), ConfigError, args.join(' '));
    assert.deepEqual(await store.listAudit({ limit: 1 }), []);
  });
});

describe('sallyport consumers', () => {
  it('tells what is refused, in words and as JSON', async () => {
    const { run, json } = await world();
    const words = await run('consumers', 'create', 'declared');
    assert.deepEqual([words.code, words.stdout], [1, '']);
    assert.match(words.stderr, /^refused: The document declares "declared"/);
    const { error } = await json('consumers', 'disable', 'nobody');
    assert.deepEqual([error.code, error.status], ['not-found', 404]);
    const misspelt = await run('consumers', 'create', 'a b');
    assert.match(misspelt.stderr, /^refused: .*name must be a name of letters, digits/);
    assert.match((await run('credentials', '--consumer', 'declard')).stderr, /^refused: .*"declard"/);
    assert.equal((await run('credentials', '--consumer', 'declared')).code, 0);
  });

  it('creates, changes, switches, lists and deletes', async () => {
    const { run, json } = await world();
    assert.equal((await run('consumers', 'list', '--after', 'declared')).stdout, 'There are no more.\n');
    const made = await run('consumers', 'create', 'app', '-g', 'partners', '-g', 'beta', '--id', 'x-1');
    assert.deepEqual([made.code, made.stdout], [0, 'app is created\n']);
    const changed = await run('consumers', 'update', 'app', '-g', 'partners', '--no-id');
    assert.equal(changed.stdout, 'app is in partners\n');
    assert.equal((await run('consumers', 'disable', 'app', '--reason', 'left')).stdout, 'app is disabled\n');
    const listed = await run('consumers');
    assert.deepEqual(
      listed.stdout.split('\n').map((line) => line.split(/ {2,}/)),
      [
        ['name', 'from', 'state', 'groups', 'id'],
        ['app', 'live', 'disabled', 'partners'],
        ['declared', 'document', 'enabled', 'g'],
        [''],
      ],
    );
    assert.match((await run('consumers', 'list', '--limit', '1')).stdout, /^More: .* --after app$/m);
    assert.equal((await run('consumers', 'enable', 'app')).stdout, 'app is enabled\n');
    assert.deepEqual((await json('consumers', 'update', 'app', '--no-groups')).groups, []);
    assert.deepEqual(await json('consumers', 'delete', 'app'), { deleted: 'app' });
    assert.equal((await json('consumers', 'list')).consumers.length, 1);
  });
});

describe('sallyport credentials', () => {
  it('creates each kind and shows its secret once', async () => {
    const { run, json } = await world();
    const made = await run('credentials', 'create', 'declared', '--expires', '2099-01-31');
    const text =
      /^(cr-\w{16}) \(api-key\) of declared, until 2099-01-31T23:59:59.000Z\n\n {2}(spk_\w{49})\n\n.*once.*\n$/;
    assert.match(made.stdout, text);
    const [, id, secret] = text.exec(made.stdout) ?? [];
    const listed = await run('credentials', 'list', '--consumer', 'declared');
    assert.ok(!listed.stdout.includes(secret));
    assert.match(
      listed.stdout,
      new RegExp(`${id}  declared  api-key  live +active  ${secret.slice(0, 10)} `),
    );
    const basic = await json('credentials', 'create', 'declared', '--kind', 'basic-auth', '--username', 'u');
    assert.deepEqual([basic.credential.shown, basic.secret.slice(0, 4)], ['u', 'spp_']);
    const certificate = file('client.pem', LOCAL.cert);
    const mtls = await run(
      'credentials',
      'create',
      'declared',
      '--kind',
      'mtls',
      '--certificate',
      certificate,
    );
    assert.match(mtls.stdout, /^cr-\w{16} \(mtls\) of declared\n$/);
  });

  it('rotates, revokes and restores', async () => {
    const { run, json } = await world();
    const { credential } = await json('credentials', 'create', 'declared');
    const heir = await json('credentials', 'rotate', credential.id, '--overlap', '1h');
    assert.notEqual(heir.credential.id, credential.id);
    const revoked = await run('credentials', 'revoke', heir.credential.id, '--reason', 'leaked');
    assert.equal(revoked.stdout, `${heir.credential.id} of declared is revoked\n`);
    assert.equal((await run('credentials', 'revoke', 'declared-1')).code, 0);
    assert.equal(
      (await run('credentials', 'restore', 'declared-1')).stdout,
      'declared-1 is accepted again\n',
    );
    const states = (await json('credentials')).credentials.map(({ id, state }: Record<string, string>) => [
      id,
      state,
    ]);
    assert.deepEqual(states, [
      ['declared-1', 'active'],
      [heir.credential.id, 'revoked'],
      [credential.id, 'active'],
    ]);
  });
});

describe('sallyport tokens', () => {
  it('revokes a token by its name or by itself, which never leaves the machine', async () => {
    const { run, worker, store } = await world();
    assert.equal((await run('revocations')).stdout, 'Nothing is revoked.\n');
    const exp = NOW / 1000 + 3600;
    const claims = Buffer.from(JSON.stringify({ iss: 'https://i.example', jti: 'one', exp, sub: 'alice' }));
    const token = file('token.jwt', `eyJ.${claims.toString('base64url')}.c2lnbmF0dXJl\n`);
    const revoked = await run('tokens', 'revoke', token, '--reason', 'stolen');
    assert.equal(
      revoked.stdout,
      `one of https://i.example is revoked until ${new Date(exp * 1000).toISOString()}\n`,
    );
    assert.equal(worker.revocations.hasToken('https://i.example', 'one'), true);
    const until = new Date(NOW + 7_200_000).toISOString().replace('.000Z', 'Z');
    await run('tokens', 'revoke', '--issuer', 'https://i.example', '--id', 'two', '--until', until);
    assert.equal(worker.revocations.hasToken('https://i.example', 'two'), true);
    assert.match((await run('revocations')).stdout, /^token +one +https:\/\/i\.example .* admin +stolen$/m);
    assert.doesNotMatch(JSON.stringify(await store.listAudit({ limit: 9 })), /alice|c2lnbmF0dXJl/);
  });
});
