import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { documentWith, type Members } from '../../../test/fixtures/config.ts';
import { KEYED, linted, listener, openedForLint, policies, route } from '../../../test/fixtures/lint.ts';
import { LINT_RULES, lint } from './index.ts';

describe('the lint', () => {
  it('gives each finding its place, its fix and where to read', async () => {
    const [finding] = await linted(documentWith({}, { policies: [] }));
    assert.deepEqual(Object.keys(finding).sort(), [
      'column',
      'docs',
      'file',
      'fix',
      'line',
      'message',
      'path',
      'rule',
      'severity',
    ]);
    assert.equal(finding.docs, 'docs/checks.md#unauthenticated-route');
    assert.equal(finding.file, 'test.json');
    assert.ok((finding.line ?? 0) > 1);
  });

  it('never tells a secret', async () => {
    const secret = '2f9a8b7c6d5e4f3a';
    const findings = await linted(policies({ headers: { request: { set: { 'x-api-key': secret } } } }));
    assert.ok(findings.some(({ rule }) => rule === 'inline-secret'));
    assert.ok(!JSON.stringify(findings).includes(secret));
  });

  it('has a section in the documentation for each rule, and cases of its own', () => {
    const page = readFileSync(new URL('../../../docs/checks.md', import.meta.url), 'utf8');
    const sections = [...page.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
    const ids = LINT_RULES.map(({ id }) => id);
    assert.deepEqual(sections, ['invalid-document', ...ids]);
    for (const id of ids) assert.ok(existsSync(new URL(`${id}.test.ts`, import.meta.url)), id);
  });

  for (const name of ['quickstart', 'identity', 'limits']) {
    it(`finds nothing in the example ${name}`, async () => {
      const file = new URL(`../../../examples/${name}/gateway.yaml`, import.meta.url);
      assert.deepEqual(await linted(readFileSync(file, 'utf8')), []);
    });
  }

  it('leaves out what is to be ignored', async () => {
    assert.deepEqual(await linted(documentWith(), { ignore: ['unauthenticated-route'] }), []);
  });

  it('tells a thousand of a kind, and that there are more', async () => {
    const routes = Array.from({ length: 1001 }, (_, i) =>
      route(`r${i}`, { path: `/r${i}` }, { policies: [] }),
    );
    const findings = await linted(documentWith({ routes }));
    assert.equal(findings.length, 1001);
    assert.equal(findings[0].path, '');
  });

  it('grows with the number of routes, not with its square', async () => {
    const cpuMsOf = async (count: number): Promise<number> => {
      const { input, dispose } = await openedForLint(manyRoutes(count));
      const before = process.cpuUsage();
      assert.deepEqual(await lint(input), []);
      const { user, system } = process.cpuUsage(before);
      await dispose();
      return (user + system) / 1000;
    };
    await cpuMsOf(500);
    const [few, many] = [await cpuMsOf(500), await cpuMsOf(8000)];
    // Sixteen times as many routes: sixteen times the work, with room for what else the process does; not 256 times.
    assert.ok(many < 60 * Math.max(few, 5), `${few} ms for 500 routes, ${many} ms for 8000`);
  });
});

const manyRoutes = (count: number): Members =>
  documentWith({
    groups: ['a', 'b'],
    listeners: [
      listener({
        policies: [
          { 'ip-list': { deny: ['10.0.0.0/8'] } },
          { 'rate-limit': { limit: 1000, window: '1m', by: 'address' } },
        ],
      }),
    ],
    routes: Array.from({ length: count }, (_, i) =>
      route(
        `r${i}`,
        { path: `/r${i}/{id}/**`, hosts: [`h${i % 50}.example.com`] },
        { policies: [...KEYED, { acl: { allow: [{ groups: ['a'] }, { groups: ['b'] }] } }] },
      ),
    ),
  });
