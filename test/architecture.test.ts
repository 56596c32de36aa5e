import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

const ROOT = path.join(import.meta.dirname, '..');
const MAX_LINES = 500;

/** From left to right; a room imports only rooms to its left, none of its own tier but itself. */
const TIERS: readonly (readonly string[])[] = [
  ['errors'],
  ['lib'],
  ['contract'],
  ['http1'],
  ['upstream', 'state', 'outbound', 'recording'],
  ['identity'],
  ['tokens'],
  ['waf'],
  ['evaluator'],
  ['limits'],
  ['policies', 'ai'],
  ['config'],
  ['gateway', 'lifecycle', 'store', 'observability'],
  ['control'],
  ['cli'],
  ['serve'],
  ['main', 'worker', 'replay-thread'],
];

/** Arrows that are wrong although they point to the left. */
const FORBIDDEN: readonly (readonly [string, string])[] = [
  ['gateway', 'control'],
  ['gateway', 'store'],
];

/** Folders whose sub-folders are rooms of their own, which never import each other. */
const APART: readonly string[] = ['policies', 'ai/providers'];

/** Source text by path relative to the project, with forward slashes. */
type Sources = ReadonlyMap<string, string>;

const tierOf = (room: string): number => TIERS.findIndex((tier) => tier.includes(room));

/** `src/gateway/listener.ts` → `gateway`; `src/errors.ts` → `errors`. */
const roomOf = (file: string): string => file.split('/')[1].replace(/\.ts$/, '');

const isTest = (file: string): boolean => file.endsWith('.test.ts');

const IMPORT = /(?:^|[\s;}])(?:import|export)\s*(type\s)?[^'"`;=]*?(?:from\s*)?['"]([^'"]+)['"]/g;
const DYNAMIC_IMPORT = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

interface Import {
  readonly to: string;
  /** Erased before it runs: it draws an arrow, and closes no cycle. */
  readonly isType: boolean;
}

/** Files of the project that a file imports, types and dynamic imports included. */
function importsOf(file: string, text: string): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const named = [
    ...[...code.matchAll(IMPORT)].map((m) => ({ name: m[2], isType: m[1] !== undefined })),
    ...[...code.matchAll(DYNAMIC_IMPORT)].map((m) => ({ name: m[1], isType: false })),
  ];
  return named
    .filter(({ name }) => name.startsWith('.'))
    .map(({ name, isType }) => ({ to: path.posix.join(path.posix.dirname(file), name), isType }));
}

function arrowFault(from: string, to: string): string | undefined {
  if (!to.startsWith('src/')) return `${from} imports ${to}, which is not published`;
  const [a, b] = [roomOf(from), roomOf(to)];
  if (tierOf(a) === -1) return `${from} stands in no room of the list`;
  if (a === b) return apartFault(from, to);
  if (FORBIDDEN.some(([x, y]) => x === a && y === b)) return `${from}: ${a} never imports ${b}`;
  if (tierOf(b) === -1 || tierOf(b) >= tierOf(a)) return `${from}: ${a} may not import ${b}`;
  const isDoor = b === 'errors' || b === 'lib' || to === `src/${b}/index.ts` || to === `src/${b}.ts`;
  return isDoor ? undefined : `${from} imports ${to}, past the door src/${b}/index.ts`;
}

/** Which of the rooms kept apart a file is in, or undefined. */
function apartRoom(file: string): string | undefined {
  const parent = APART.find((p) => file.startsWith(`src/${p}/`));
  if (parent === undefined) return undefined;
  const rest = file.slice(`src/${parent}/`.length).split('/');
  return rest.length > 1 ? `${parent}/${rest[0]}` : undefined;
}

function apartFault(from: string, to: string): string | undefined {
  const [a, b] = [apartRoom(from), apartRoom(to)];
  return a !== undefined && b !== undefined && a !== b ? `${from}: ${a} never imports ${b}` : undefined;
}

/** One line per cycle, as the files on it. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      found.push(`import cycle: ${[...trail.slice(trail.indexOf(file)), file].join(' → ')}`);
      return;
    }
    state.set(file, 'open');
    for (const next of graph.get(file) ?? []) visit(next, [...trail, file]);
    state.set(file, 'done');
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}

/** Everything that is wrong, one line each. Tests may look anywhere; only their length is checked. */
function faults(sources: Sources): string[] {
  const found: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [file, text] of sources) {
    const lines = text.split('\n').length - 1;
    if (lines > MAX_LINES) found.push(`${file} has ${lines} lines, more than ${MAX_LINES}`);
    if (!file.startsWith('src/') || isTest(file)) continue;
    const imports = importsOf(file, text);
    graph.set(
      file,
      imports.filter((i) => !i.isType).map((i) => i.to),
    );
    for (const { to } of imports) {
      const fault = arrowFault(file, to);
      if (fault !== undefined) found.push(fault);
    }
  }
  return [...found, ...cycles(graph)];
}

function readSources(): Sources {
  const files = globSync('{src,test,bench,scripts,examples}/**/*.{ts,mjs}', { cwd: ROOT });
  return new Map(files.map((f) => [f.split(path.sep).join('/'), readFileSync(path.join(ROOT, f), 'utf8')]));
}

describe('architecture', () => {
  const sources = readSources();

  it('sees the project', () => {
    const count = [...sources.keys()].filter((f) => f.startsWith('src/')).length;
    assert.ok(count > 50, `only ${count} source files were found`);
    assert.ok(importsOf('src/main.ts', sources.get('src/main.ts') ?? '').length > 0);
  });

  it('keeps arrows, doors, cycles and sizes', () => {
    assert.deepEqual(faults(sources), []);
  });
});

describe('the architecture test can fail', () => {
  const wrong: { name: string; files: Record<string, string>; fault: RegExp }[] = [
    {
      name: 'an arrow to the right',
      files: { 'src/http1/a.ts': "import { x } from '../gateway/index.ts';" },
      fault: /http1 may not import gateway/,
    },
    {
      name: 'a type-only arrow to the right',
      files: { 'src/contract/a.ts': "import type { X } from '../config/index.ts';" },
      fault: /contract may not import config/,
    },
    {
      name: 'an export that is an arrow',
      files: { 'src/state/a.ts': "export * from '../control/index.ts';" },
      fault: /state may not import control/,
    },
    {
      name: 'a dynamic import to the right',
      files: { 'src/config/a.ts': "const x = await import('../cli/index.ts');" },
      fault: /config may not import cli/,
    },
    {
      name: 'an import over several lines',
      files: { 'src/lib/a.ts': "import {\n  x,\n  y,\n} from '../contract/index.ts';" },
      fault: /lib may not import contract/,
    },
    {
      name: 'an import for its effect',
      files: { 'src/lib/a.ts': "import '../contract/index.ts';" },
      fault: /lib may not import contract/,
    },
    {
      name: 'a neighbour of the same tier',
      files: { 'src/upstream/a.ts': "import { x } from '../state/index.ts';" },
      fault: /upstream may not import state/,
    },
    {
      name: 'gateway knowing the store',
      files: { 'src/gateway/a.ts': "import { x } from '../store/index.ts';" },
      fault: /gateway never imports store/,
    },
    {
      name: 'a way past the door',
      files: { 'src/config/a.ts': "import { x } from '../evaluator/path.ts';" },
      fault: /past the door src\/evaluator\/index\.ts/,
    },
    {
      name: 'a policy that imports a policy',
      files: { 'src/policies/acl/policy.ts': "import { x } from '../api-key/policy.ts';" },
      fault: /policies\/acl never imports policies\/api-key/,
    },
    {
      name: 'a room nobody knows',
      files: { 'src/misc/a.ts': "import { x } from '../lib/cidr.ts';" },
      fault: /stands in no room/,
    },
    {
      name: 'published code that needs a test file',
      files: { 'src/cli/a.ts': "import { x } from '../../test/fixtures/gateway.ts';" },
      fault: /which is not published/,
    },
    {
      name: 'a cycle',
      files: {
        'src/lib/a.ts': "import { b } from './b.ts';",
        'src/lib/b.ts': "import { c } from './c.ts';",
        'src/lib/c.ts': "import { a } from './a.ts';",
      },
      fault: /import cycle: src\/lib\/a\.ts → src\/lib\/b\.ts → src\/lib\/c\.ts → src\/lib\/a\.ts/,
    },
    {
      name: 'a file that has grown too long',
      files: { 'bench/a.ts': '\n'.repeat(MAX_LINES + 1) },
      fault: /501 lines/,
    },
  ];
  for (const { name, files, fault } of wrong) {
    it(`finds ${name}`, () => assert.match(faults(new Map(Object.entries(files))).join('\n'), fault));
  }

  it('lets what is right through', () => {
    const right = {
      'src/lib/a.ts': "import { ConfigError } from '../errors.ts';\n// import { x } from '../cli/index.ts';",
      'src/policies/index.ts': "import { acl } from './acl/policy.ts';",
      'src/config/a.ts':
        "import { x } from '../lib/regex/engine.ts';\nimport { y } from '../policies/index.ts';",
      'src/lib/a.test.ts': "import { x } from '../cli/index.ts';",
      'src/main.ts': "const { serve } = await import('./serve.ts');",
      'src/state/a.ts': "import type { B } from './b.ts';",
      'src/state/b.ts': "import { a } from './a.ts';",
      'bench/b.ts': '\n'.repeat(MAX_LINES),
    };
    assert.deepEqual(faults(new Map(Object.entries(right))), []);
  });
});
