import type { Command } from 'commander';
import { orNull, type Static, Type } from '../lib/schema.ts';
import {
  type AdminApi,
  type AdminOptions,
  type AdminResult,
  addAdminOptions,
  askAdmin,
  expectAnswer,
} from './admin-client.ts';
import { columns } from './columns.ts';
import { printable, processTerminal, type Terminal } from './terminal.ts';

const Node = Type.Object({
  id: Type.String(),
  name: Type.String(),
  version: Type.String(),
  state: Type.String(),
  silentSeconds: Type.Number(),
  revision: orNull(Type.String()),
  candidate: orNull(Type.Object({ revision: Type.String(), step: Type.String() })),
  workers: orNull(Type.Object({ serving: Type.Number(), all: Type.Number() })),
  error: orNull(Type.Object({ at: Type.String(), message: Type.String() })),
});
type Node = Static<typeof Node>;
const Answer = Type.Object({
  self: Type.String(),
  active: orNull(Type.String()),
  complete: Type.Boolean(),
  drift: Type.Boolean(),
  nodes: Type.Array(Node),
});

interface NodesOptions extends AdminOptions {
  readonly check: boolean;
}

const EXIT_CODES = `
Exit codes:
  0  done; with --check: every node serves what is active
  1  the gateway does not answer, or refuses; with --check: a node does not, or that is not known
  2  the command was used wrongly
`;

/** `sallyport nodes`. */
export function addNodesCommand(program: Command, terminal: Terminal = processTerminal()): void {
  const nodes = program
    .command('nodes')
    .summary('list the nodes that have one store, and what each serves')
    .description(
      'Lists the nodes that have one store (--store), how each is, and what it serves and tries. One that serves something ' +
        'else than what is active is marked.',
    )
    .option('--check', 'exit with 1 unless every node serves what is active', false);
  addAdminOptions(nodes, EXIT_CODES).action(async (options: NodesOptions) => {
    let isAtOne = false;
    const code = await askAdmin(options, terminal, async (api) => {
      const { result, isSound } = await listNodes(api);
      isAtOne = isSound;
      return result;
    });
    process.exitCode = code === 0 && options.check && !isAtOne ? 1 : code;
  });
}

async function listNodes(api: AdminApi): Promise<{ result: AdminResult; isSound: boolean }> {
  const data = await api.get('/api/nodes');
  const { self, active, complete, drift, nodes } = expectAnswer(Answer, data);
  const rows = nodes.map((node) => rowOf(node, active, node.id === self));
  const text = columns([HEAD, ...rows]) + nodes.map(faultOf).join('') + caveatOf(active, complete);
  return { result: { data, text }, isSound: complete && !drift };
}

const HEAD = ['', 'node', 'id', 'version', 'revision', 'candidate', 'state', 'workers', 'last seen'];
const SHORT = 12;

function rowOf(
  { id, name, version, state, silentSeconds, revision, candidate, workers }: Node,
  active: string | null,
  isSelf: boolean,
): readonly string[] {
  const isOther = active !== null && revision !== null && revision !== active;
  return [
    state === 'ok' ? '' : '!',
    isSelf ? `${name} (asked)` : name,
    id,
    version,
    `${revision?.slice(0, SHORT) ?? '-'}${isOther ? ' (not active)' : ''}`,
    candidate === null ? '-' : `${candidate.revision.slice(0, SHORT)} ${candidate.step}`,
    state,
    workers === null ? '-' : `${workers.serving}/${workers.all}`,
    agoOf(silentSeconds),
  ];
}

function agoOf(seconds: number): string {
  if (seconds < 1) return 'now';
  if (seconds < 120) return `${Math.round(seconds)} s ago`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min ago` : `${Math.round(seconds / 3600)} h ago`;
}

function faultOf({ name, error }: Node): string {
  if (error === null) return '';
  const line = `${name} at ${error.at}: ${error.message}`;
  return `${printable(line).replaceAll('\n', ' ')}\n`;
}

function caveatOf(active: string | null, isComplete: boolean): string {
  if (!isComplete)
    return 'The store cannot be read by the node that was asked: how the others are is not known.\n';
  return active === null ? 'Nothing is active yet.\n' : printable(`Active is ${active}.\n`);
}
