import type { Secrets } from '../../contract/index.ts';
import { type Cidr, parseCidr } from '../../lib/cidr.ts';
import { readNetworkEntry } from '../../lib/network-entry.ts';
import type { FeedForm } from '../../lib/network-feed/index.ts';
import type { Static } from '../../lib/schema.ts';
import type { PolicyCatalog } from '../catalog.ts';
import type { DocumentPath } from '../document-path.ts';
import { IssueList } from '../issues.ts';
import { isObject, listOf, memberOf, textOf } from '../json-shape.ts';
import { DEFAULT_LIST, ListSchema } from '../schema/list.ts';
import { positiveMs, sizeOf } from './listener.ts';

type ListConfig = Static<typeof ListSchema>;
type WithDefaults = ListConfig & Required<Pick<ListConfig, keyof typeof DEFAULT_LIST>>;

/** How a list is kept fresh. Plain data; the values of headers may be secrets. */
export interface FeedPlan {
  readonly name: string;
  /** A URL, or a path relative to the document. */
  readonly source: { readonly kind: 'url' | 'file'; readonly at: string };
  /** The source as it may be shown: without its query. */
  readonly shown: string;
  readonly form: FeedForm;
  readonly refreshMs: number;
  /** Share of the list that a refresh may add and remove: 0.2 is 20 %. */
  readonly maxChange: number;
  readonly maxBytes: number;
  readonly allowPrivate: boolean;
  /** The operator's own networks, those of the listeners' trusted proxies among them. */
  readonly protect: readonly Cidr[];
  readonly onStale: 'keep' | 'drop';
  readonly staleAfterMs: number;
  readonly timeoutMs: number;
  /** Flat list: name, value, name, value. */
  readonly headers: readonly string[];
}

/** An entry that stands in the document itself. */
export interface InlineEntry {
  readonly network: Cidr;
  /** Milliseconds since the epoch; Infinity for never. */
  readonly untilMs: number;
  readonly why: string;
}

/** The `lists` of a document. */
export interface DocumentLists {
  /** Every list that is declared, by name, with the entries that stand in the document. */
  readonly inline: ReadonlyMap<string, readonly InlineEntry[]>;
  readonly feeds: readonly FeedPlan[];
  /** Networks of the proxies that listeners trust. */
  readonly proxies: readonly Cidr[];
}

/** The `lists` of a document that was found sound. */
export function listsOf(document: unknown, catalog: PolicyCatalog, secrets: Secrets): DocumentLists {
  const issues = new IssueList();
  const lists = readLists(document, catalog, secrets, issues);
  issues.throwIfAny();
  return lists;
}

/** Reads the `lists` of a document. Lists of unsound form have no feed; the structure's own issues tell their faults. */
export function readLists(
  document: unknown,
  catalog: PolicyCatalog,
  secrets: Secrets,
  issues: IssueList,
): DocumentLists {
  const inline = new Map<string, readonly InlineEntry[]>();
  const feeds: FeedPlan[] = [];
  const proxies = trustedProxies(document);
  const lists = memberOf(document, 'lists');
  for (const [name, config] of Object.entries(isObject(lists) ? lists : {})) {
    const path = ['lists', name];
    const isSound = catalog.is(ListSchema, config);
    inline.set(name, isSound ? readEntries(config.entries ?? [], [...path, 'entries'], issues) : []);
    if (!isSound) continue;
    checkSource(config, path, issues);
    if (config.source !== undefined)
      feeds.push(feedOf(name, config, config.source, proxies, path, secrets, issues));
  }
  return { inline, feeds, proxies };
}

function checkSource(config: ListConfig, path: DocumentPath, issues: IssueList): void {
  if (config.source !== undefined) return;
  if (config.entries === undefined) {
    issues.add(path, 'has neither a source nor entries', 'name a source, or list its entries');
  }
  for (const key of Object.keys(config)) {
    if (key !== 'entries') issues.add([...path, key], 'says nothing without a source');
  }
}

function readEntries(
  entries: NonNullable<ListConfig['entries']>,
  path: DocumentPath,
  issues: IssueList,
): readonly InlineEntry[] {
  return entries.flatMap((written, i) => {
    const entry = readNetworkEntry(written);
    const at = typeof written === 'string' ? [...path, i] : [...path, i, 'network'];
    if (entry === undefined) {
      issues.add([...path, i, 'expires'], 'is not a day of the calendar');
      return [];
    }
    const network = parseCidr(entry.text);
    if (!('fault' in network)) return [{ network, untilMs: entry.untilMs, why: entry.why }];
    issues.add(at, network.fault, network.suggestion);
    return [];
  });
}

function feedOf(
  name: string,
  config: ListConfig,
  source: string,
  proxies: readonly Cidr[],
  path: DocumentPath,
  secrets: Secrets,
  issues: IssueList,
): FeedPlan {
  const written: WithDefaults = { ...DEFAULT_LIST, ...config };
  const ms = (key: 'refresh' | 'staleAfter' | 'timeout'): number =>
    positiveMs(written[key], [...path, key], issues);
  const own = networksOf(config.protect ?? [], [...path, 'protect'], issues);
  const plan: FeedPlan = {
    name,
    ...sourceOf(source, [...path, 'source'], issues),
    form: formOf(written),
    refreshMs: ms('refresh'),
    maxChange: Number.parseInt(written.maxChange, 10) / 100,
    maxBytes: sizeOf(written.maxBytes),
    allowPrivate: written.allowPrivate,
    protect: [...own, ...proxies],
    onStale: written.onStale,
    staleAfterMs: ms('staleAfter'),
    timeoutMs: ms('timeout'),
    headers: headersOf(config.headers ?? {}, [...path, 'headers'], secrets, issues),
  };
  checkBounds(plan, path, issues);
  return plan;
}

function checkBounds(plan: FeedPlan, path: DocumentPath, issues: IssueList): void {
  if (plan.refreshMs < MIN_REFRESH_MS) issues.add([...path, 'refresh'], 'must be at least 10s');
  if (plan.timeoutMs > MAX_TIMEOUT_MS) issues.add([...path, 'timeout'], 'must be at most 5m');
  if (plan.maxBytes < 1 || plan.maxBytes > MAX_BYTES)
    issues.add([...path, 'maxBytes'], 'must be between 1B and 64MB');
  if (plan.source.kind === 'file' && plan.headers.length > 0) {
    issues.add([...path, 'headers'], 'says nothing where the source is a file');
  }
}

const MIN_REFRESH_MS = 10_000;
const MAX_TIMEOUT_MS = 300_000;
const MAX_BYTES = 64_000_000;

function formOf({ format, items, field, maxEntries }: WithDefaults): FeedForm {
  const fields: readonly string[] = typeof field === 'string' ? [field] : field;
  return { format, items, fields, maxEntries };
}

function sourceOf(text: string, path: DocumentPath, issues: IssueList): Pick<FeedPlan, 'source' | 'shown'> {
  if (text.startsWith('file:'))
    return { source: { kind: 'file', at: text.slice('file:'.length) }, shown: text };
  const shown = text.split('?', 1)[0];
  if (!URL.canParse(text)) issues.add(path, 'is not a URL');
  else if (text.startsWith('http:') && !isLoopbackUrl(text)) {
    issues.add(path, 'is not encrypted: whoever is on the way could change the list', 'use https://');
  }
  return { source: { kind: 'url', at: text }, shown };
}

const isLoopbackUrl = (url: string): boolean =>
  /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(new URL(url).hostname);

const REFERENCE = /^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/;
const SENDABLE = /^[ -~]*$/;
/** Names of fields whose values prove who asks. */
const SECRET_NAME = /auth|cookie|key|token|secret|password/i;
/** What the exchange itself needs. */
const OURS: ReadonlySet<string> = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'if-modified-since',
  'if-none-match',
  'te',
  'transfer-encoding',
  'upgrade',
]);

function headersOf(
  headers: Readonly<Record<string, string>>,
  path: DocumentPath,
  secrets: Secrets,
  issues: IssueList,
): readonly string[] {
  return Object.entries(headers).flatMap(([name, written]) => {
    const at = [...path, name];
    if (OURS.has(name.toLowerCase())) issues.add(at, 'is set by the gateway itself');
    if (REFERENCE.test(written)) {
      const value = issues.collect(at, () => secrets.resolve(written));
      if (value !== undefined && !SENDABLE.test(value)) issues.add(at, 'holds what no header can carry');
      return value === undefined ? [] : [name, value];
    }
    if (SECRET_NAME.test(name)) {
      issues.add(at, 'must be a reference, env:NAME or file:PATH; a secret is never written in a document');
    }
    return [name, written];
  });
}

function networksOf(texts: readonly string[], path: DocumentPath, issues: IssueList): readonly Cidr[] {
  return texts.flatMap((text, i) => {
    const network = parseCidr(text);
    if (!('fault' in network)) return [network];
    issues.add([...path, i], network.fault, network.suggestion);
    return [];
  });
}

/** Those that can be read; the listeners' own compile tells of the others. */
function trustedProxies(document: unknown): readonly Cidr[] {
  return listOf(memberOf(document, 'listeners')).flatMap((listener) =>
    listOf(memberOf(listener, 'trustedProxies')).flatMap((text) => {
      const network = parseCidr(textOf(text) ?? '');
      return 'fault' in network ? [] : [network];
    }),
  );
}
