import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bundleDeps, documentWith, type Members, parsed } from '../../test/fixtures/config.ts';
import { createBundle, PolicyCatalog, placesOf } from '../config/index.ts';
import { POLICIES } from '../policies/index.ts';
import { createLocalCounters } from '../state/index.ts';
import { Coverage, type CoverageReport } from './coverage.ts';
import { runDocumentTests } from './document-tests.ts';

async function coverageOf(policies: readonly Members[], tests: readonly Members[]): Promise<CoverageReport> {
  const document = documentWith({
    routes: [
      { name: 'asked', match: { path: '/asked' }, upstream: 'origin', policies },
      { name: 'other', match: { path: '/other' }, upstream: 'origin' },
    ],
    groups: ['staff'],
    consumers: [{ name: 'app', credentials: [{ 'api-key': { secret: 'env:KEY' } }] }],
    tests: tests.map((test, i) => ({ name: `t${i}`, expect: { route: 'asked' }, ...test })),
  });
  const deps = { ...bundleDeps(), catalog: new PolicyCatalog(POLICIES) };
  const { snapshot } = await createBundle(parsed(document), deps);
  assert.ok(deps.catalog.isDocument(document));
  const coverage = new Coverage(placesOf(document, deps.catalog));
  const { secrets } = deps;
  const world = { createState: createLocalCounters, secrets, startMs: Date.UTC(2026, 10, 23), coverage };
  await runDocumentTests(snapshot, document.tests ?? [], world);
  await snapshot.dispose();
  return coverage.report();
}

const KEYED = { 'api-key': {} };
const stranger = { request: { path: '/asked' } };
const withKey = { request: { path: '/asked', headers: { 'x-api-key': 'env:KEY' } } };
const asStaff = { request: { path: '/asked', identity: { consumer: 'ann', groups: ['staff'] } } };

describe('coverage', () => {
  /** `+` let on, `-` refused; `!` where that is all it can do. */
  const cases: readonly [name: string, policies: Members[], tests: Members[], seen: string[]][] = [
    ['of no test', [KEYED], [], ['']],
    ['of a refusal', [KEYED], [stranger], ['-']],
    ['of a key that is right', [KEYED], [withKey], ['+']],
    ['of both', [KEYED], [stranger, withKey], ['+-!']],
    ['of somebody a test says is there', [KEYED], [stranger, asStaff], ['+-!']],
    [
      'of what stands behind a refusal',
      [KEYED, { acl: { allow: { groups: ['staff'] } } }],
      [stranger],
      ['-', ''],
    ],
    [
      'of an acl, in shadow too',
      [KEYED, { acl: { allow: { groups: ['staff'] } }, mode: 'shadow' }],
      [withKey, asStaff],
      ['+', '+-!'],
    ],
    [
      'of a limit',
      [{ 'rate-limit': { limit: 1, window: '1m' } }],
      [{ request: { path: '/asked', repeat: 2 } }],
      ['+-!'],
    ],
    [
      'of what never refuses',
      [{ 'security-headers': {} }, { acl: { allow: 'everyone' } }],
      [stranger],
      ['+!', '+!'],
    ],
    [
      'of what does not apply',
      [{ 'ip-list': { deny: ['192.0.2.0/24'] }, when: 'request.method == "POST"' }],
      [stranger],
      [''],
    ],
    ['of what is off', [{ 'ip-list': { deny: ['192.0.2.0/24'] }, mode: 'off' }], [stranger], []],
  ];
  for (const [name, policies, tests, seen] of cases) {
    it(name, async () => {
      const { attachments, policies: share, routes } = await coverageOf(policies, tests);
      assert.deepEqual(
        attachments.map((a) => `${a.continued ? '+' : ''}${a.refused ? '-' : ''}${a.covered ? '!' : ''}`),
        seen,
      );
      assert.equal(share.covered, seen.filter((word) => word.endsWith('!')).length);
      assert.deepEqual(
        routes,
        tests.length > 0 ? { covered: 1, total: 2, percent: 50 } : { covered: 0, total: 2, percent: 0 },
      );
    });
  }

  it('names attachments as records do, those of listeners first', async () => {
    const { attachments, routeList } = await coverageOf([KEYED, { ...KEYED, name: 'again' }, KEYED], []);
    assert.deepEqual(
      attachments.map(({ id }) => id),
      ['route:asked/api-key', 'route:asked/api-key@again', 'route:asked/api-key#2'],
    );
    assert.deepEqual(
      routeList.map(({ name }) => name),
      ['asked', 'other'],
    );
  });

  it('is whole where there is nothing to cover, and not by rounding', async () => {
    assert.equal((await coverageOf([], [])).policies.percent, 100);
    const many = Array.from({ length: 200 }, (_, i) => ({ 'security-headers': {}, name: `n${i}` }));
    const last = { 'security-headers': {}, when: 'request.method == "PUT"' };
    assert.equal((await coverageOf([...many.slice(0, 199), last], [stranger])).policies.percent, 99);
  });
});
