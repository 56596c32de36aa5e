import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Command } from 'commander';
import { makeWorld, TOKEN } from '../../test/fixtures/admin.ts';
import type { NodeList, NodeState, NodeView } from '../control/nodes/index.ts';
import { addNodesCommand } from './nodes.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-nodes-'));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'admin-token'), `${TOKEN}\n`);

const [ACTIVE, OTHER] = ['a'.repeat(64), 'b'.repeat(64)];

const node = (name: string, state: NodeState = 'ok', more: Partial<NodeView> = {}): NodeView => ({
  id: name.padStart(16, '0'),
  name,
  version: '1.2.3',
  startedAt: 1_800_000_000_000,
  silentMs: 1400,
  state,
  status: {
    revision: ACTIVE,
    candidate: undefined,
    workers: ['serving', 'starting'],
    store: 'ok',
    error: undefined,
    refused: undefined,
    settled: undefined,
    listeners: [{ name: 'public', host: '0.0.0.0', port: 8080 }],
  },
  ...more,
});

const listOf = (nodes: readonly NodeView[], more: Partial<NodeList> = {}): NodeList => ({
  self: nodes[0]?.id ?? '',
  active: ACTIVE,
  isComplete: true,
  nodes,
  ...more,
});

/** Runs the command against an admin side that knows these nodes. */
async function run(list: NodeList, ...args: string[]) {
  const { app } = await makeWorld({ nodes: { list: async () => list } });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const [address] = app.addresses();
  assert.ok(typeof address === 'object');
  let stdout = '';
  const program = new Command('sallyport').exitOverride();
  addNodesCommand(program, { colours: false, out: (text) => (stdout += text), error: () => {} });
  const before = process.exitCode;
  const at = ['--admin', `127.0.0.1:${address.port}`, '--data', folder];
  await program.parseAsync(['node', 'sallyport', 'nodes', ...at, ...args]);
  const code = process.exitCode;
  process.exitCode = before;
  return { stdout, code };
}

describe('sallyport nodes', () => {
  for (const [what, list, code] of [
    ['all serve what is active', listOf([node('a'), node('b')]), 0],
    ['one serves another revision', listOf([node('a'), node('b', 'drift')]), 1],
    ['one is lost', listOf([node('a'), node('b', 'lost')]), 1],
    ['one has no worker that serves', listOf([node('a', 'failing')]), 1],
    ['one speaks in other words', listOf([node('a'), node('b', 'unknown', { status: undefined })]), 1],
    ['the store cannot be read', listOf([node('a', 'cut-off')], { isComplete: false, active: undefined }), 1],
    // Undecidable is no agreement.
    ['it is not known', listOf([node('a')], { isComplete: false }), 1],
  ] as const) {
    it(`ends with ${code} under --check where ${what}, and with 0 without`, async () => {
      assert.equal((await run(list, '--check')).code, code);
      assert.equal((await run(list, '--check', '--json')).code, code);
      assert.equal((await run(list)).code, 0);
    });
  }

  it('is read by people', async () => {
    const trial = { rollout: 'r', revision: OTHER, step: 'canary 10 %' };
    const status = { ...node('b').status, revision: OTHER, candidate: trial } as NodeView['status'];
    const error = { at: 1_800_000_000_000, message: 'a port is\nin use \u001b[31m' };
    const { stdout } = await run(
      listOf([
        node('a', 'ok', { silentMs: 200 }),
        node('b', 'drift', { status }),
        node('c', 'lost', {
          silentMs: 600_000,
          status: { ...status, candidate: undefined, error } as NodeView['status'],
        }),
        node('d', 'unknown', { silentMs: 90_000_000, status: undefined }),
      ]),
    );
    assert.equal(
      stdout,
      [
        '   node       id                version  revision                   candidate                 state    workers  last seen',
        '   a (asked)  000000000000000a  1.2.3    aaaaaaaaaaaa               -                         ok       1/2      now',
        '!  b          000000000000000b  1.2.3    bbbbbbbbbbbb (not active)  bbbbbbbbbbbb canary 10 %  drift    1/2      1 s ago',
        '!  c          000000000000000c  1.2.3    bbbbbbbbbbbb (not active)  -                         lost     1/2      10 min ago',
        '!  d          000000000000000d  1.2.3    -                          -                         unknown  -        25 h ago',
        'c at 2027-01-15T08:00:00.000Z: a port is in use \ufffd[31m',
        `Active is ${ACTIVE}.`,
        '',
      ].join('\n'),
    );
  });

  it('is data for programs', async () => {
    const { stdout } = await run(listOf([node('a', 'drift')]), '--json');
    assert.deepEqual(JSON.parse(stdout), {
      self: 'a'.padStart(16, '0'),
      active: ACTIVE,
      complete: true,
      drift: true,
      nodes: [
        {
          id: 'a'.padStart(16, '0'),
          name: 'a',
          version: '1.2.3',
          startedAt: '2027-01-15T08:00:00.000Z',
          state: 'drift',
          silentSeconds: 1.4,
          revision: ACTIVE,
          candidate: null,
          workers: { serving: 1, all: 2 },
          store: 'ok',
          error: null,
          listeners: [{ name: 'public', host: '0.0.0.0', port: 8080 }],
        },
      ],
    });
  });
});
