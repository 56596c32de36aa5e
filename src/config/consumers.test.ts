import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, it } from 'node:test';
import { KEY } from '../../test/fixtures/config.ts';
import { LiveState } from '../state/index.ts';
import { buildConsumers } from './consumers.ts';
import { IssueList } from './issues.ts';
import type { ConsumerConfig } from './schema/document.ts';

const fingerprint = (secret: string) => hash('sha256', secret, 'base64url');
const build = (consumers: readonly ConsumerConfig[]) => {
  const issues = new IssueList();
  const directory = buildConsumers(
    consumers,
    [],
    { resolve: (ref: string) => `${KEY}-${ref}` },
    new LiveState(),
    issues,
  );
  issues.throwIfAny();
  return directory;
};
const app = (more: object = {}): ConsumerConfig => ({
  name: 'app',
  groups: ['partners'],
  credentials: [
    { 'api-key': { secret: 'env:A' } },
    { 'api-key': { secret: 'env:B', id: 'second', ...more } },
  ],
});

describe('a consumer directory', () => {
  it('finds credentials by kind and fingerprint only', () => {
    const directory = build([app()]);
    assert.equal(directory.find('api-key', `${KEY}-env:A`), undefined);
    assert.equal(directory.find('basic-auth', fingerprint(`${KEY}-env:A`)), undefined);
    assert.deepEqual(directory.find('api-key', fingerprint(`${KEY}-env:A`)), {
      identity: {
        consumer: 'app',
        groups: ['partners'],
        scopes: [],
        claims: {},
        credential: { id: 'app-1', kind: 'api-key' },
      },
      expiresAtMs: undefined,
    });
    assert.equal(directory.find('api-key', fingerprint(`${KEY}-env:B`))?.identity.credential?.id, 'second');
  });

  it('knows names and groups', () => {
    const directory = build([app()]);
    assert.deepEqual(
      [
        directory.has('app'),
        directory.has('partners'),
        directory.hasGroup('partners'),
        directory.hasGroup('app'),
      ],
      [true, false, true, false],
    );
    assert.deepEqual([directory.has('toString'), directory.hasGroup('constructor')], [false, false]);
    assert.deepEqual([[...directory.names], [...directory.groups]], [['app'], ['partners']]);
  });

  const times: readonly [expires: string, time: number][] = [
    ['2027-01-31', Date.UTC(2027, 0, 31, 23, 59, 59, 999)],
    ['2028-02-29', Date.UTC(2028, 1, 29, 23, 59, 59, 999)],
    ['2027-01-31T12:00:00Z', Date.UTC(2027, 0, 31, 12)],
    ['2027-01-31T12:00+02:00', Date.UTC(2027, 0, 31, 10)],
  ];
  for (const [expires, time] of times) {
    it(`a credential of ${expires} is good until then`, () => {
      assert.equal(build([app({ expires })]).find('api-key', fingerprint(`${KEY}-env:B`))?.expiresAtMs, time);
    });
  }

  it('never shows a secret, not even in its fingerprint', () => {
    const directory = build([app()]);
    assert.doesNotMatch(JSON.stringify(directory), new RegExp(KEY));
    assert.match(directory.fingerprint, /^[0-9a-f]{64}$/);
    assert.notEqual(build([app({ expires: '2027-01-31' })]).fingerprint, directory.fingerprint);
    assert.equal(build([app()]).fingerprint, directory.fingerprint);
  });
});
