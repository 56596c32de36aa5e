import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Command } from 'commander';
import { makeWorld, TOKEN } from '../../test/fixtures/admin.ts';
import { explainDesk } from '../../test/fixtures/explained.ts';
import { BEN, recorded, WITH_KEY } from '../../test/fixtures/replays.ts';
import type { DecisionEntry } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import { addExplainCommand } from './explain.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-explain-'));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'admin-token'), `${TOKEN}\n`);
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

/** A gateway that lets staff in, and what runs the command against it. */
async function world() {
  const policies = [{ 'api-key': {} }, { acl: { allow: { groups: ['staff'] } } }];
  const decisions = [TIGHTENED];
  const record = recorded({
    ...WITH_KEY,
    identity: BEN,
    requestId: 'one',
    method: 'GET\u001b[2J',
    decisions,
  });
  const { app } = await makeWorld({ explain: explainDesk(policies, [record]) });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const [address] = app.addresses();
  assert.ok(typeof address === 'object');
  const { port } = address;
  return async (...args: string[]) => {
    const said: string[] = [];
    const complained: string[] = [];
    const terminal = {
      colours: false,
      out: (text: string) => void said.push(text),
      error: (text: string) => void complained.push(text),
    };
    const program = new Command('sallyport').exitOverride();
    addExplainCommand(program, terminal);
    const before = process.exitCode;
    await program.parseAsync([
      'node',
      'sallyport',
      'explain',
      ...args,
      ...['--admin', `127.0.0.1:${port}`, '--data', folder],
    ]);
    const code = process.exitCode;
    process.exitCode = before;
    return { code, out: said.join(''), err: complained.join('') };
  };
}

/** What a policy said when the request came, and does not say now. */
const TIGHTENED: DecisionEntry = {
  attachment: 'route:all/acl',
  policy: 'acl',
  mode: 'enforce',
  phase: 'request',
  outcome: 'reject',
  code: 'rate-limited',
  reason: 'limit 100 → 35: 41 rejected tokens in 60s',
};

describe('sallyport explain', () => {
  it('refuses in words what it cannot explain', async () => {
    const run = await world();
    await assert.rejects(run(), ConfigError);
    await assert.rejects(run('one', '--try', file('a.json', '{}')), ConfigError);
    await assert.rejects(run('--try', file('b.json', '{"path": ')), ConfigError);
    await assert.rejects(run('--try', join(folder, 'nowhere.json')), ConfigError);
    for (const args of [['none'], ['--try', file('c.json', '{}')]]) {
      const { code, out, err } = await run(...args);
      assert.deepEqual([code, out], [1, '']);
      assert.match(err, /^refused: /);
    }
  });

  it('tells who refused a request, by what, and what would change it', async () => {
    const run = await world();
    const { code, out } = await run('one');
    assert.equal(code, 0);
    assert.match(out, /refused with 403 by route:all\/acl \(forbidden/);
    assert.match(out, /2 {2}route:all\/acl {2}reject/);
    assert.match(out, /1 {2}route:all\/api-key {2}continue {2}taken as proved$/m);
    assert.match(out, /identity\.groups = \[\]/);
    assert.match(out, /then: reject \(rate-limited\): limit 100 → 35: 41 rejected tokens in 60s/);
    assert.match(out, /without route:all\/acl: goes on to the upstream/);
    assert.equal(out.includes('\u001b'), false);
  });

  it('tells of a request that has not happened, as JSON too', async () => {
    const run = await world();
    const ann = file('ann.json', '{"path": "/x", "identity": {"consumer": "ann", "groups": ["staff"]}}');
    assert.match((await run('--try', ann)).out, /^GET \/x {2}goes on to the upstream/);
    assert.equal(JSON.parse((await run('--try', ann, '--json')).out).outcome.kind, 'forward');
  });
});
