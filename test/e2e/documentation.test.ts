/** What the documentation shows is a document: each YAML snippet, completed to one, compiles, and its tests hold. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import {
  createBundle,
  type FileBytes,
  PolicyCache,
  PolicyCatalog,
  parseDocument,
  readersOf,
  secretsOf,
} from '../../src/config/index.ts';
import { loadLint, runDocumentTests } from '../../src/lifecycle/index.ts';
import { POLICIES } from '../../src/policies/index.ts';
import { createLocalCounters, LiveState } from '../../src/state/index.ts';
import { LOCAL } from '../fixtures/certificates.ts';
import { CLIENTS, LISTS, PARTNERS } from '../fixtures/client-certificates.ts';
import { filesFrom } from '../fixtures/config.ts';
import { COUNTRIES, SYSTEMS, writeMmdb } from '../fixtures/mmdb.ts';
import { ROOT } from '../fixtures/process.ts';
import { tokenKey } from '../fixtures/tokens.ts';

const PAGES = [
  'README.md',
  ...['docs', 'docs/policies'].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`),
  ),
];

const PASSWORD_HASH = `$argon2id$v=19$m=19456,t=2,p=1$${'c2FsdHNhbHRzYWx0c2FsdA'}$${'A'.repeat(43)}`;
const signing = tokenKey('EdDSA');

/** What the snippets refer to. */
const FILES = filesFrom({
  'order.schema.json': '{"type":"object"}',
  'lists/deny.txt': '203.0.113.0/24\n',
  'tls/api.crt': LOCAL.cert,
  'tls/api.key': LOCAL.key,
  'tls/partners-ca.crt': PARTNERS,
  'tls/partners.crl': LISTS.fresh,
  'tls/orders.crt': Object.values(CLIENTS)[0],
  'secrets/billing': 'correct-horse-battery',
  'orders.token': 'a-token-of-the-orders-service',
  'keys/billing.pem': signing.pem,
  'gateway-key.pem': signing.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
});
const DATABASES: Readonly<Record<string, Buffer>> = {
  'GeoLite2-Country.mmdb': writeMmdb(COUNTRIES),
  'GeoLite2-ASN.mmdb': writeMmdb(SYSTEMS),
};

/** Every name has a value of its own, long enough for whatever it is the secret of. */
const ENVIRONMENT = new Proxy<Record<string, string>>(
  {},
  {
    get: (_, name) =>
      String(name).endsWith('_HASH')
        ? PASSWORD_HASH
        : createHash('sha256').update(String(name)).digest('hex'),
    has: () => true,
  },
);

const binaries = {
  read(reference: string): FileBytes {
    const bytes = DATABASES[path.basename(reference)];
    return { bytes, hash: createHash('sha256').update(bytes).digest('hex') };
  },
};

interface Snippet {
  readonly line: number;
  readonly text: string;
}

/** The YAML snippets of a page. */
function snippetsOf(page: string): Snippet[] {
  const text = readFileSync(path.join(ROOT, page), 'utf8');
  return [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map((match) => ({
    line: text.slice(0, match.index).split('\n').length,
    text: match[1],
  }));
}

type Members = Readonly<Record<string, unknown>>;
type Named = Members & { readonly name: string };

const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const namedIn = (value: unknown): Named[] => {
  const items: unknown[] = Array.isArray(value) ? value : [];
  return items.flatMap((item) => (isMembers(item) ? [{ ...item, name: String(item.name) }] : []));
};

/** Whom and what the snippets name without declaring it. */
const CONSUMERS = ['mobile-app', 'old-app', 'orders', 'guest'];
const GROUPS = ['partners', 'staff', 'devices', 'public', 'customers'];
const LISTS_NAMED = { offices: { entries: ['198.51.100.0/24'] } };

/** A snippet with what it leaves out: what it says itself stays. */
function documentOf(snippet: unknown): Members {
  // Attachments alone, of which some stand behind a policy that says who calls.
  if (Array.isArray(snippet)) return documentOf({ policies: [{ 'api-key': {} }, ...snippet] });
  assert.ok(isMembers(snippet));
  const { policies, routes, consumers, groups, lists, upstreams, ...rest } = snippet;
  const allRoutes = policies === undefined ? namedIn(routes) : [{ name: 'shown', policies }];
  const declared = namedIn(consumers);
  const missing = CONSUMERS.filter((name) => !declared.some((consumer) => consumer.name === name));
  const targets = [
    ...new Set(allRoutes.map((route) => ('upstream' in route ? String(route.upstream) : 'origin'))),
  ];
  return {
    sallyport: 1,
    listeners: [{ name: 'public', address: '127.0.0.1:8080' }],
    ...rest,
    upstreams: {
      ...Object.fromEntries(targets.map((name) => [name, { targets: ['http://127.0.0.1:9000'] }])),
      ...(isMembers(upstreams) ? upstreams : {}),
    },
    routes: allRoutes.map((route) => ({
      match: { path: `/${route.name}/**` },
      upstream: 'origin',
      ...route,
    })),
    consumers: [...declared, ...missing.map((name) => ({ name }))],
    groups: [...new Set([...GROUPS, ...(Array.isArray(groups) ? groups : [])])],
    lists: { ...LISTS_NAMED, ...(isMembers(lists) ? lists : {}) },
  };
}

/** Which rule of the lint a snippet is about, and whether it shows what the rule finds or how it is done well. */
interface Shown {
  readonly rule: string;
  readonly isFound: boolean;
}

/** In the sections of the page on the lint the first of two snippets is the bad one; one alone is good. */
function shownIn(page: string, snippets: readonly Snippet[]): ReadonlyMap<Snippet, Shown> {
  if (page !== 'docs/checks.md') return new Map();
  const lines = readFileSync(path.join(ROOT, page), 'utf8').split('\n');
  const bySection = Map.groupBy(snippets, ({ line }) =>
    lines.slice(0, line).findLast((l) => l.startsWith('## ')),
  );
  return new Map(
    [...bySection].flatMap(([heading, inside]) =>
      inside.map((snippet, i): [Snippet, Shown] => [
        snippet,
        { rule: String(heading).slice(3), isFound: inside.length > 1 && i === 0 },
      ]),
    ),
  );
}

/** Behind the day on which the certificates begin. */
const LINTED_AT = Date.UTC(2026, 11, 1);

/** Compiles a snippet as the gateway would, and runs its tests. */
async function check({ text }: Snippet, shown: Shown | undefined): Promise<void> {
  const catalog = new PolicyCatalog(POLICIES);
  const secrets = secretsOf(ENVIRONMENT, FILES);
  const document = documentOf(parse(text));
  const { snapshot, bundle } = await createBundle(
    parseDocument(JSON.stringify(document, null, 2), 'snippet.json'),
    {
      catalog,
      cache: new PolicyCache(),
      files: FILES,
      secrets,
      binaries,
      live: new LiveState(undefined, 'empty'),
    },
  );
  try {
    assert.ok(catalog.isDocument(document));
    const deps = { createState: createLocalCounters, secrets, startMs: Date.UTC(2026, 10, 23) };
    const results = await runDocumentTests(snapshot, document.tests ?? [], deps);
    assert.deepEqual(
      results.flatMap(({ unmet }) => unmet),
      [],
    );
    if (shown === undefined) return;
    const { files } = readersOf(bundle);
    const { lint } = await loadLint();
    const findings = await lint({ document, snapshot, catalog, files, nowMs: LINTED_AT });
    assert.equal(
      findings.some(({ rule }) => rule === shown.rule),
      shown.isFound,
      JSON.stringify(findings),
    );
  } finally {
    await snapshot.dispose();
  }
}

describe('the YAML that the documentation shows', () => {
  for (const page of PAGES) {
    const snippets = snippetsOf(page);
    const shown = shownIn(page, snippets);
    for (const snippet of snippets) {
      it(`compiles: ${page}:${snippet.line}`, () => check(snippet, shown.get(snippet)));
    }
  }
});
