import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  bundleDeps,
  documentWith,
  filesFrom,
  issuesOf,
  KEY,
  type Members,
  parsed,
  probePolicies,
} from '../../../test/fixtures/config.ts';
import { createBundle } from '../bundle.ts';
import { secretsOf } from '../document-files.ts';
import { Pacer } from '../pacer.ts';

const policies = (...items: unknown[]) => documentWith({}, { policies: items });
const consumer = (secret: string, more: Members = {}) => ({
  consumers: [{ name: 'app', credentials: [{ 'api-key': { secret } }], ...more }],
});

/** Compiles one document after the other with one cache, as a node that reloads. */
function node() {
  const probe = probePolicies();
  const base = bundleDeps(probe);
  const load = (
    document: unknown,
    files: Readonly<Record<string, string>> = {},
    environment: Readonly<Record<string, string>> = { KEY, OTHER: `${KEY}2` },
  ) => {
    const reader = filesFrom(files);
    return createBundle(parsed(document), {
      ...base,
      files: reader,
      secrets: secretsOf(environment, reader),
    });
  };
  const compiled = () => probe.log.splice(0).filter((entry) => entry.startsWith('+'));
  return { ...base, probe, load, compiled };
}

describe('a reload', () => {
  const reader = { reader: { file: 'file:./list.txt', secret: 'env:KEY' } };
  const files = { 'list.txt': 'one' };
  const unchanged: readonly [name: string, one: unknown, other: unknown][] = [
    ['the same document', policies({ mark: { n: 1 } }), policies({ mark: { n: 1 } })],
    [
      'keys in another order',
      policies({ mark: { n: 1, window: 'a' } }),
      policies({ mark: { window: 'a', n: 1 } }),
    ],
    ['another mode', policies({ mark: {} }), policies({ mark: {}, mode: 'shadow', onError: 'continue' })],
    ['another owner', policies({ mark: {} }), policies({ mark: {}, owner: 'me' })],
    [
      'a change elsewhere',
      policies({ mark: {} }),
      documentWith({ upstreams: { origin: { targets: ['http://b'] } } }, { policies: [{ mark: {} }] }),
    ],
    [
      'other consumers, where nobody looked',
      documentWith(consumer('env:KEY'), { policies: [{ mark: {} }] }),
      documentWith(consumer('env:OTHER'), { policies: [{ mark: {} }] }),
    ],
    [
      'the same consumers',
      documentWith(consumer('env:KEY'), { policies: [{ member: {} }] }),
      documentWith(consumer('env:KEY'), { policies: [{ member: {} }] }),
    ],
    ['the same file and secret', policies(reader), policies(reader)],
  ];
  for (const [name, one, other] of unchanged) {
    it(`keeps a policy: ${name}`, async () => {
      const { load, compiled } = node();
      const first = await load(one, files);
      assert.equal(compiled().length, 1);
      const second = await load(other, files);
      assert.deepEqual(compiled(), []);
      assert.equal(second.snapshot.attachments[0].instance, first.snapshot.attachments[0].instance);
      assert.deepEqual(
        Object.keys(second.bundle.files),
        Object.keys(first.bundle.files),
        'what it read is captured again',
      );
    });
  }

  const changed: readonly [
    name: string,
    one: unknown,
    other: unknown,
    files?: Members,
    environment?: Members,
  ][] = [
    ['its config', policies({ mark: { n: 1 } }), policies({ mark: { n: 2 } })],
    [
      'its condition',
      policies({ mark: {}, when: 'request.method == "GET"' }),
      policies({ mark: {}, when: 'request.method == "PUT"' }),
    ],
    ['its name', policies({ mark: {} }), policies({ mark: {}, name: 'x' })],
    [
      'a credential of a consumer',
      documentWith(consumer('env:KEY'), { policies: [{ member: {} }] }),
      documentWith(consumer('env:OTHER'), { policies: [{ member: {} }] }),
    ],
    [
      'a group of a consumer',
      documentWith(consumer('env:KEY'), { policies: [{ member: {} }] }),
      documentWith(consumer('env:KEY', { groups: ['g'] }), { policies: [{ member: {} }] }),
    ],
    [
      'the expiry of a credential',
      documentWith(consumer('env:KEY'), { policies: [{ member: {} }] }),
      documentWith(
        {
          consumers: [
            { name: 'app', credentials: [{ 'api-key': { secret: 'env:KEY', expires: '2027-01-31' } }] },
          ],
        },
        { policies: [{ member: {} }] },
      ),
    ],
    ['its file', policies(reader), policies(reader), { 'list.txt': 'two' }],
    ['its secret', policies(reader), policies(reader), files, { KEY: 'another-secret-of-characters' }],
  ];
  for (const [name, one, other, otherFiles = files, environment] of changed) {
    it(`compiles a policy anew: ${name}`, async () => {
      const { load, compiled } = node();
      await load(one, files);
      compiled();
      await load(other, textsOf(otherFiles), environment === undefined ? undefined : textsOf(environment));
      assert.equal(compiled().length, 1);
    });
  }

  it('disposes a policy when the last snapshot that uses it ends, once', async () => {
    const { load, probe, cache } = node();
    const first = await load(policies({ mark: { n: 1 } }));
    const second = await load(policies({ mark: { n: 1 } }));
    await first.snapshot.dispose();
    await first.snapshot.dispose();
    assert.deepEqual(probe.log, ['+route:all/mark']);
    await second.snapshot.dispose();
    assert.deepEqual(probe.log, ['+route:all/mark', '-route:all/mark']);
    assert.equal(cache.size, 0);
  });

  it('that fails leaves what serves as it was', async () => {
    const { load, probe, cache } = node();
    const first = await load(policies({ mark: { n: 1 } }));
    await issuesOf(() => load(policies({ mark: { n: 1 } }, { mark: { n: 2 } }, { member: {} })));
    assert.equal(cache.size, 1);
    assert.equal(probe.log.includes('-route:all/mark'), false);
    assert.equal(probe.log.includes('-route:all/mark#2'), true);
    await first.snapshot.dispose();
    assert.equal(cache.size, 0);
  });

  it('never keeps a policy whose condition is wrong', async () => {
    const { load, cache } = node();
    await issuesOf(() => load(policies({ mark: {}, when: 'nonsense(' })));
    assert.equal(cache.size, 0);
  });

  it('gives the event loop its turns', async () => {
    let now = 0;
    let turns = 0;
    const pacer = new Pacer(
      () => now++,
      async () => void turns++,
    );
    const deps = { ...bundleDeps(), pacer };
    await createBundle(parsed(policies(...Array.from({ length: 100 }, () => ({ mark: {} })))), deps);
    assert.ok(turns >= 10, `${turns} turns`);
  });
});

function textsOf(members: Members): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(members).map(([key, value]) => [key, String(value)]));
}
