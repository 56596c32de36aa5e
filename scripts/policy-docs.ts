/**
 * Writes docs/policies/*.md: each policy's README and a table of its options, made from its schema. With
 * `--check` nothing is written; exits 1 and names what differs from what would be.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { PolicyDefinition } from '../src/contract/index.ts';
import { MEMBER } from '../src/lib/schema.ts';
import { POLICIES } from '../src/policies/index.ts';

const DOCS = new URL('../docs/policies/', import.meta.url);

/** What the table reads of a JSON Schema. */
interface OptionSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
  readonly patternErrorMessage?: string;
  readonly anyOf?: readonly OptionSchema[];
  readonly items?: OptionSchema;
  readonly properties?: Readonly<Record<string, OptionSchema>>;
  readonly patternProperties?: Readonly<Record<string, OptionSchema>>;
  readonly required?: readonly string[];
}

/** Every page by file name. */
function pages(): Map<string, string> {
  const made = new Map<string, string>([['README.md', overview()]]);
  for (const policy of POLICIES) made.set(`${policy.name}.md`, page(policy));
  return made;
}

function overview(): string {
  const rows = POLICIES.map(({ name, summary }) => [`[\`${name}\`](${name}.md)`, summary]);
  const mode =
    'Every policy takes `mode` (`enforce`, `shadow`, `off`), [`when`](../conditions.md) (CEL) and `onError` (`reject`, `continue`).';
  const callers = 'How to choose and combine those that prove who calls: [callers](../callers.md).';
  const forms =
    'Options of type `duration` are written as `500ms`, `30s`, `5m`, `24h` or `30d`, a `size` as `64kB` or `10MB`. Secrets are never written: `env:NAME` or `file:PATH` says where they are. Paths are relative to the document.';
  return `${GENERATED}# Policies\n\n${mode} ${callers}\n\n${table(['policy', ''], rows)}\n\n${forms}\n`;
}

function page({ name, summary, schema }: PolicyDefinition): string {
  const readme = readFileSync(new URL(`../src/policies/${name}/README.md`, import.meta.url), 'utf8');
  const rows = rootRows(readOption(schema));
  const options = table(['option', 'type', 'default', ''], rows);
  return `${GENERATED}# \`${name}\`\n\n${summary}\n\n${readme.trim()}\n\n## Options\n\n${options}\n`;
}

const GENERATED =
  '<!-- Made by scripts/policy-docs.ts from the README and schema of the policy. Change those. -->\n\n';

/** Columns as wide as their widest cell, as the project's formatter writes tables. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column].length)));
  const lines = cells.map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`,
  );
  lines.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  return lines.join('\n');
}

/** A config is an object of options, or a list, or may be written as either. */
function rootRows(schema: OptionSchema): string[][] {
  if (schema.anyOf !== undefined) return schema.anyOf.flatMap(rootRows);
  if (schema.type !== 'array') return optionRows(schema, '');
  return [['(the list itself)', typeName(schema), 'required', schema.description ?? '']];
}

function optionRows(schema: OptionSchema, path: string): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, option]) => {
    const required = schema.required?.includes(name) ? 'required' : '';
    const fallback = option.default === undefined ? required : `\`${JSON.stringify(option.default)}\``;
    const row = [`\`${path}${name}\``, typeName(option), fallback, option.description ?? ''];
    const objects = inner(option);
    if (objects.length > 0) return [row, ...formsRows(objects, `${path}${name}.`)];
    return [row, ...formsRows(innerOfItems(option), `${path}${name}[].`)];
  });
}

/** Options of an object that may have several forms: one that not every form asks for is not required. */
function formsRows(forms: readonly OptionSchema[], path: string): string[][] {
  const rows = new Map<string, string[]>();
  for (const row of forms.flatMap((form) => optionRows(form, path))) {
    const name = row[0].slice(path.length + 1, -1);
    // What is nested deeper was judged there.
    const isAlways = /[.[]/.test(name) || forms.every(({ required = [] }) => required.includes(name));
    if (!rows.has(row[0])) rows.set(row[0], row[2] !== 'required' || isAlways ? row : row.with(2, ''));
  }
  return [...rows.values()];
}

/** Objects inside an option, whose own options follow it. */
function inner(option: OptionSchema): readonly OptionSchema[] {
  return [option, ...(option.anyOf ?? [])].filter((schema) => schema.properties !== undefined);
}

/** Texts of a form that has a name, by what is said of a wrong one. */
const FORMS: readonly (readonly [said: string, type: string])[] = [
  ['must be a duration', 'duration'],
  ['must be a size', 'size'],
  ['must be a URL', 'URL'],
  ['must be a reference, env:NAME or file:PATH', '`env:NAME` or `file:PATH`'],
  ['must be a file reference', '`file:PATH`'],
];

/** Objects that are items of an option, which is a list and nothing else. */
const innerOfItems = (option: OptionSchema): readonly OptionSchema[] =>
  [option, ...(option.anyOf ?? [])].flatMap(({ items }) =>
    items === undefined || items === MEMBER ? [] : inner(items),
  );

function typeName(option: OptionSchema): string {
  if (option === MEMBER) return 'attachment';
  if (option.anyOf !== undefined) return [...new Set(option.anyOf.map(typeName))].join(' or ');
  if (option.const !== undefined) return `\`${JSON.stringify(option.const)}\``;
  if (option.type === 'array')
    return `list of ${option.items === undefined ? 'anything' : typeName(option.items)}`;
  if (option.patternProperties !== undefined) return 'map';
  const { patternErrorMessage: message = '' } = option;
  const form = FORMS.find(([said]) => message.startsWith(said));
  if (form !== undefined) return form[1];
  return option.type ?? 'anything';
}

const isOption = (value: unknown): value is OptionSchema => typeof value === 'object' && value !== null;

function readOption(schema: unknown): OptionSchema {
  if (isOption(schema)) return schema;
  throw new TypeError('a policy has no schema');
}

function existing(): string[] {
  mkdirSync(DOCS, { recursive: true });
  return readdirSync(DOCS).filter((file) => file.endsWith('.md'));
}

function isCurrent(file: string, text: string | undefined): boolean {
  return existing().includes(file) && readFileSync(new URL(file, DOCS), 'utf8') === text;
}

const made = pages();
if (process.argv.includes('--check')) {
  const stale = [...new Set([...made.keys(), ...existing()])].filter(
    (file) => !isCurrent(file, made.get(file)),
  );
  for (const file of stale) console.error(`docs/policies/${file} is out of date: run scripts/policy-docs.ts`);
  if (stale.length > 0) process.exitCode = 1;
} else {
  for (const [file, text] of made) writeFileSync(new URL(file, DOCS), text);
}
