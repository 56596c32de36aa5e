import { existsSync } from 'node:fs';
import { fileKey, filesOnDisk, isObject, loadDocument, parseDocument } from '../config/index.ts';
import { ConfigError } from '../errors.ts';
import { orNull, Type } from '../lib/schema.ts';
import { type AdminApi, AdminError, expectAnswer } from './admin-client.ts';

/** What `sallyport diff` compares: where it is from, and what it says. */
export interface DiffSource {
  readonly kind: 'file' | 'revision';
  /** The path, or the id of the revision. */
  readonly name: string;
  readonly document: Readonly<Record<string, unknown>>;
  /** Contents of the files it names, as far as they are at hand. */
  readonly files: Readonly<Record<string, string>>;
}

/** What a word on the command line stands for. */
export type DiffWord =
  | { readonly kind: 'active' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'prefix'; readonly prefix: string };

const PREFIX = /^[0-9a-f]{4,64}$/;

/** A file that is there is meant before a revision of that name. @throws ConfigError for what is neither. */
export function readWord(word: string): DiffWord {
  if (existsSync(word)) return { kind: 'file', path: word };
  if (word === 'active') return { kind: 'active' };
  if (PREFIX.test(word)) return { kind: 'prefix', prefix: word };
  throw ConfigError.at(
    '',
    `"${word}" is no file, and no revision`,
    'name a file, a folder, "active", or the first digits of a revision, at least 4',
  );
}

/** @throws ConfigError for a document that cannot be read */
export async function openFile(path: string): Promise<DiffSource> {
  const { document, folder } = await loadDocument(path);
  return { kind: 'file', name: path, document, files: contentsOf(document, folder) };
}

const Summary = Type.Object({ id: Type.String() });
const Page = Type.Object({
  revisions: Type.Array(Summary),
  active: orNull(Type.String()),
  next: orNull(Type.Integer()),
});
const Stored = Type.Object({
  id: Type.String(),
  document: Type.String(),
  files: Type.Record(Type.String(), Type.String()),
});

/** @throws AdminError when there is none, or several begin so */
export async function openRevision(
  api: AdminApi,
  word: Exclude<DiffWord, { kind: 'file' }>,
): Promise<DiffSource> {
  const id = word.kind === 'active' ? await activeOf(api) : await resolvePrefix(api, word.prefix);
  const { document: text, files } = expectAnswer(Stored, await api.get(`/api/revisions/${id}`));
  return {
    kind: 'revision',
    name: id,
    document: parseDocument(text, `revision ${short(id)}`).document,
    files,
  };
}

async function activeOf(api: AdminApi): Promise<string> {
  const { active } = expectAnswer(Page, await api.get('/api/revisions?limit=1'));
  if (active === null) throw new AdminError('no revision is active there');
  return active;
}

const WHOLE = 64;
const PAGE = 1000;

/** The id that begins so. @throws AdminError when there is none, or several do */
export async function resolvePrefix(api: AdminApi, prefix: string): Promise<string> {
  if (prefix.length === WHOLE) return prefix;
  const found = new Set<string>();
  let before = '';
  do {
    const page = expectAnswer(Page, await api.get(`/api/revisions?limit=${PAGE}${before}`));
    for (const { id } of page.revisions) if (id.startsWith(prefix)) found.add(id);
    before = page.next === null ? '' : `&before=${page.next}`;
  } while (before !== '');
  const [id, ...more] = found;
  if (id === undefined) throw new AdminError(`no revision begins with "${prefix}"`);
  if (more.length === 0) return id;
  const all = [...found].slice(0, 5).map(short).join(', ');
  throw new AdminError(`${found.size} revisions begin with "${prefix}": ${all}; write more digits`);
}

/** So much of a revision is shown, and is enough to name it. */
const SHOWN = 12;
export const short = (revision: string): string => revision.slice(0, SHOWN);

/** What the document names as a file and can be read; one that cannot is for `check` to tell. */
function contentsOf(document: unknown, folder: string): Readonly<Record<string, string>> {
  const reader = filesOnDisk(folder);
  const contents = new Map<string, string>();
  for (const name of fileNames(document, '')) {
    try {
      contents.set(fileKey(name), reader.read(name));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
    }
  }
  return Object.fromEntries(contents);
}

const FILE_OPTION = /File$/;

function* fileNames(value: unknown, key: string): Generator<string> {
  if (typeof value === 'string' && (value.startsWith('file:') || FILE_OPTION.test(key))) yield value;
  else if (Array.isArray(value)) for (const item of value) yield* fileNames(item, key);
  else if (isObject(value))
    for (const [name, member] of Object.entries(value)) yield* fileNames(member, name);
}
