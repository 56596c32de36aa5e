import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { listContent } from '../../../test/fixtures/address-lists.ts';
import { bundleDeps, documentWith, issuesOf, type Members, parsed } from '../../../test/fixtures/config.ts';
import { policyContext } from '../../../test/fixtures/policy-context.ts';
import type { Snapshot } from '../../contract/index.ts';
import { formatCidr } from '../../lib/cidr.ts';
import { parseIpAddress } from '../../lib/ip-address.ts';
import { ipList } from '../../policies/ip-list/policy.ts';
import { LiveState } from '../../state/index.ts';
import { createBundle } from '../bundle.ts';
import { PolicyCatalog } from '../catalog.ts';
import { secretsOf } from '../document-files.ts';
import { IssueList } from '../issues.ts';
import { PolicyCache } from '../policy-cache.ts';
import { type FeedPlan, readLists } from './lists.ts';

const URL_SOURCE = 'https://feeds.example.net/drop.txt';
const catalog = new PolicyCatalog([ipList]);
const listed = (list: Members, more: Members = {}) => documentWith({ lists: { drop: list }, ...more });
const feed = (more: Members) => listed({ source: URL_SOURCE, ...more });

const refusals: readonly (readonly [name: string, document: unknown, path: string])[] = [
  ['neither a source nor entries', listed({}), 'lists.drop'],
  ['http beyond loopback', listed({ source: 'http://feeds.example.net/drop.txt' }), 'lists.drop.source'],
  [
    'http to what looks like loopback',
    listed({ source: 'http://127.0.0.1.example.net/' }),
    'lists.drop.source',
  ],
  ['a user in the URL', listed({ source: 'https://me:secret@feeds.example.net/' }), 'lists.drop.source'],
  ['another scheme', listed({ source: 'ftp://feeds.example.net/' }), 'lists.drop.source'],
  ['no URL', listed({ source: 'https://[/' }), 'lists.drop.source'],
  ['settings of a feed without one', listed({ entries: ['192.0.2.1'], refresh: '1h' }), 'lists.drop.refresh'],
  ['a faulty entry', listed({ entries: ['192.0.2.1', '192.0.2.1/24'] }), 'lists.drop.entries[1]'],
  ['a term among entries', listed({ entries: ['country:DE'] }), 'lists.drop.entries[0]'],
  ['a faulty network of an object', listed({ entries: [{ network: 'x' }] }), 'lists.drop.entries[0].network'],
  [
    'a day that no calendar has',
    listed({ entries: [{ network: '192.0.2.1', expires: '2026-02-30' }] }),
    'lists.drop.entries[0].expires',
  ],
  ['a refresh without end', feed({ refresh: '1s' }), 'lists.drop.refresh'],
  ['a timeout without end', feed({ timeout: '1h' }), 'lists.drop.timeout'],
  ['a bound that is none', feed({ maxBytes: '1GB' }), 'lists.drop.maxBytes'],
  ['a change that is no share', feed({ maxChange: 'much' }), 'lists.drop.maxChange'],
  ['a faulty protected network', feed({ protect: ['10.0.0.1/8'] }), 'lists.drop.protect[0]'],
  [
    'a secret in the document',
    feed({ headers: { Authorization: 'Bearer abc' } }),
    'lists.drop.headers.Authorization',
  ],
  ['a secret under another name', feed({ headers: { 'x-api-key': 'abc' } }), 'lists.drop.headers.x-api-key'],
  ['a secret that is not there', feed({ headers: { 'x-key': 'env:NOT_THERE' } }), 'lists.drop.headers.x-key'],
  ['a secret with a line feed', feed({ headers: { 'x-key': 'env:LINES' } }), 'lists.drop.headers.x-key'],
  ['a field of the exchange itself', feed({ headers: { Host: 'x' } }), 'lists.drop.headers.Host'],
  ['headers for a file', listed({ source: 'file:./a', headers: { 'x-a': 'b' } }), 'lists.drop.headers'],
  ['an unknown key', feed({ every: '1h' }), 'lists.drop.every'],
  [
    'a name that no rule can say',
    documentWith({ lists: { 'a b': { entries: ['192.0.2.1'] } } }),
    'lists["a b"]',
  ],
  ['no map', documentWith({ lists: [] }), 'lists'],
];

describe('lists are refused for', () => {
  for (const [name, document, path] of refusals) {
    it(name, async () => {
      const deps = bundleDeps(undefined, {}, { LINES: 'a\r\nb' });
      const issues = await issuesOf(() => createBundle(parsed(document), deps));
      assert.deepEqual([...new Set(issues.map((issue) => issue.path))], [path], JSON.stringify(issues));
    });
  }
});

function plansOf(document: unknown, environment: Readonly<Record<string, string>> = {}): readonly FeedPlan[] {
  const issues = new IssueList();
  const files = { read: () => assert.fail('no file is read for a plan') };
  const { feeds } = readLists(document, catalog, secretsOf(environment, files), issues);
  issues.throwIfAny();
  return feeds;
}

describe('a plan of a feed', () => {
  it('has defaults', () => {
    const [plan] = plansOf(listed({ source: 'https://feeds.example.net/drop.txt?id=1' }));
    assert.deepEqual(plan, {
      name: 'drop',
      source: { kind: 'url', at: 'https://feeds.example.net/drop.txt?id=1' },
      shown: URL_SOURCE,
      form: { format: 'auto', items: undefined, fields: ['cidr'], maxEntries: 1_000_000 },
      refreshMs: 43_200_000,
      maxChange: 0.2,
      maxBytes: 16_000_000,
      allowPrivate: false,
      protect: [],
      onStale: 'keep',
      staleAfterMs: 604_800_000,
      timeoutMs: 30_000,
      headers: [],
    });
  });

  it('has what is written, secrets by their values, and the proxies that listeners trust', () => {
    const document = listed(
      {
        source: 'http://[::1]:8080/x.json',
        format: 'json',
        items: 'prefixes',
        field: ['ipv4Prefix', 'ipv6Prefix'],
        maxChange: '150%',
        protect: ['198.51.100.0/24'],
        headers: { 'X-Key': 'env:FEED_KEY', accept: 'application/json' },
      },
      { listeners: [{ name: 'public', address: '127.0.0.1:8080', trustedProxies: ['203.0.113.0/24'] }] },
    );
    const [plan] = plansOf(document, { FEED_KEY: 'k' });
    assert.deepEqual(plan.source, { kind: 'url', at: 'http://[::1]:8080/x.json' });
    assert.deepEqual(plan.form.fields, ['ipv4Prefix', 'ipv6Prefix']);
    assert.equal(plan.maxChange, 1.5);
    assert.deepEqual(plan.protect.map(formatCidr), ['198.51.100.0/24', '203.0.113.0/24']);
    assert.deepEqual(plan.headers, ['X-Key', 'k', 'accept', 'application/json']);
  });

  it('of a file names its path; a list kept by hand has none', () => {
    const lists = { a: { source: 'file:./lists/a.txt' }, b: { entries: ['192.0.2.1'] } };
    assert.deepEqual(
      plansOf(documentWith({ lists })).map(({ source, shown }) => [source, shown]),
      [[{ kind: 'file', at: './lists/a.txt' }, 'file:./lists/a.txt']],
    );
  });
});

describe('a list of a document', () => {
  const live = new LiveState();
  live.apply({ subject: 'list', name: 'drop', content: listContent('1', ['198.51.100.0/24']) });
  const cache = new PolicyCache();
  const snapshotOf = async (list: Members): Promise<Snapshot> => {
    const document = listed(list, {
      listeners: [
        { name: 'public', address: '127.0.0.1:8080', policies: [{ 'ip-list': { deny: ['list:drop'] } }] },
      ],
    });
    const deps = { ...bundleDeps(), catalog, cache, live };
    return (await createBundle(parsed(document), deps)).snapshot;
  };
  const decide = (snapshot: Snapshot, client: string, nowMs: number) => {
    const address = parseIpAddress(client);
    assert.ok(address);
    const decision = snapshot.attachments[0].instance.request?.(policyContext({ client: address, nowMs }));
    assert.ok(decision !== undefined && !(decision instanceof Promise));
    return decision.kind === 'reject' ? decision.error.reason : decision.kind;
  };
  const kept = { network: '203.0.113.0/24', reason: 'scans', owner: 'ops', expires: '2026-11-23' };
  const [before, after] = [Date.UTC(2026, 10, 23), Date.UTC(2026, 10, 24)];

  it('kept by hand needs no feed, and its entries expire', async () => {
    const snapshot = await snapshotOf({ entries: [kept, '203.0.113.128/25'] });
    const narrow = '203.0.113.200 is in 203.0.113.128/25 of list:drop';
    const wide = '203.0.113.7 is in 203.0.113.0/24 (scans, owner ops) of list:drop';
    assert.equal(decide(snapshot, '203.0.113.200', after), narrow);
    assert.equal(decide(snapshot, '203.0.113.7', before), wide);
    assert.equal(decide(snapshot, '203.0.113.7', after), 'continue');
    assert.equal(decide(snapshot, '198.51.100.1', before), 'continue');
    await snapshot.dispose();
  });

  it('with both is asked by hand first, then live', async () => {
    const snapshot = await snapshotOf({ source: URL_SOURCE, entries: [kept] });
    assert.match(String(decide(snapshot, '203.0.113.7', before)), /scans/);
    assert.equal(decide(snapshot, '203.0.113.7', after), 'continue');
    assert.equal(decide(snapshot, '198.51.100.1', after), '198.51.100.1 is in 198.51.100.0/24 of list:drop');
    await snapshot.dispose();
  });

  it('is compiled again where its entries are others, not where its feed is', async () => {
    const one = await snapshotOf({ source: URL_SOURCE, entries: [kept] });
    const two = await snapshotOf({ source: 'https://feeds.example.net/other.txt', entries: [kept] });
    const three = await snapshotOf({ source: URL_SOURCE, entries: [{ ...kept, reason: 'spam' }] });
    assert.equal(two.attachments[0].instance, one.attachments[0].instance);
    assert.notEqual(three.attachments[0].instance, one.attachments[0].instance);
    await Promise.all([one, two, three].map((snapshot) => snapshot.dispose()));
  });

  it('that is not declared is told with the name that was probably meant', async () => {
    const policies = [{ 'ip-list': { deny: ['list:dorp'] } }];
    const document = listed(
      { entries: ['192.0.2.1'] },
      { routes: undefined, listeners: [{ name: 'a', address: '127.0.0.1:1', policies }] },
    );
    const issues = await issuesOf(() => createBundle(parsed(document), { ...bundleDeps(), catalog }));
    assert.equal(issues[0].path, 'listeners[0].policies[0].ip-list.deny[0]');
    assert.match(issues[0].suggestion ?? '', /"drop"/);
  });
});
