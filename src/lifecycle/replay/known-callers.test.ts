import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ANN,
  BEN,
  counts,
  judged,
  recorded,
  replayDocument,
  snapshotOf,
  undecided,
  WITH_KEY,
  WITH_TOKEN,
} from '../../../test/fixtures/replays.ts';
import { PolicyCatalog } from '../../config/index.ts';
import type { RecordedRequest } from '../../contract/index.ts';
import { POLICIES } from '../../policies/index.ts';
import { callersOf } from './provers.ts';
import { replay } from './replay.ts';

const APIKEY = { 'api-key': {} };
const STAFF_ONLY = { acl: { allow: { groups: ['staff'] } } };

describe('who called then', () => {
  it('is nobody to a policy that looks elsewhere', async () => {
    const elsewhere = { 'api-key': { header: 'x-other-key' } };
    const diff = await judged([elsewhere], [recorded({ ...WITH_KEY, identity: BEN })]);
    assert.deepEqual(counts(diff), { allowedToDenied: 1 });
    assert.equal(diff.flips[0].after.code, 'unauthenticated');
  });

  it('is found in one of several ways', async () => {
    const ways = { 'any-of': [{ 'basic-auth': {} }, APIKEY] };
    assert.deepEqual(counts(await judged([ways], [recorded({ ...WITH_KEY, identity: BEN })])), { same: 1 });
  });

  it('was nobody where nothing was proved', async () => {
    const anonymous = { consumer: 'guest', groups: [], scopes: [], claims: {}, anonymous: true } as const;
    const diff = await judged([APIKEY], [recorded({ identity: anonymous })]);
    assert.deepEqual(counts(diff), { allowedToDenied: 1 });
  });

  const declared = (name: string, groups: readonly string[], ids: readonly string[]) => ({
    name,
    id: undefined,
    groups,
    credentials: ids.map((id) => ({
      id,
      kind: 'api-key' as const,
      publicKey: undefined,
      expiresAtMs: undefined,
    })),
  });
  const before = [declared('ann', ['staff'], ['ann-1'])];
  const asAnn = recorded({ ...WITH_KEY, identity: ANN });

  it('is in the groups that the draft says', async () => {
    const draft = [declared('ann', [], ['ann-1'])];
    const diff = await judged([APIKEY, STAFF_ONLY], [asAnn], {
      callers: { draft, against: before, live: [] },
    });
    assert.deepEqual(counts(diff), { allowedToDenied: 1 });
  });

  it('is not known where the draft has its credential no more', async () => {
    const callers = { draft: [declared('ann', ['staff'], [])], against: before, live: ['ann-1'] };
    assert.deepEqual(undecided(await judged([APIKEY], [asAnn], { callers })), ['1 credential api-key']);
  });

  it('is known by a credential that is kept beside revisions', async () => {
    const callers = { draft: [], against: [], live: ['ann-1'] };
    assert.deepEqual(counts(await judged([APIKEY], [asAnn], { callers })), { same: 1 });
    const alike = await judged([APIKEY], [asAnn], { callers: { ...callers, live: undefined } });
    assert.deepEqual(counts(alike), { same: 1 });
    const nobodyKnows = { draft: [], against: undefined, live: undefined };
    const unknown = await judged([APIKEY], [asAnn], { callers: nobodyKnows });
    assert.deepEqual(undecided(unknown), ['1 credential api-key']);
  });
});

describe('what proved who called then', () => {
  const jwt = (audience: string) => ({
    jwt: { audience, issuers: [{ issuer: 'https://id.example.com', jwks: 'file:keys.json' }] },
  });
  const KEYS = {
    'keys.json': JSON.stringify({
      keys: [
        {
          kty: 'EC',
          crv: 'P-256',
          kid: 'k',
          alg: 'ES256',
          x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
          y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
        },
      ],
    }),
  };
  const byToken = { ...BEN, credential: { id: 't', kind: 'jwt' } };
  const token = recorded({ ...WITH_TOKEN, identity: byToken });
  const key = recorded({ ...WITH_KEY, identity: BEN });

  const cases: readonly (readonly [
    name: string,
    draft: unknown,
    against: unknown,
    record: RecordedRequest,
    isDecided: boolean,
  ])[] = [
    ['a token, by the same rules', jwt('a'), jwt('a'), token, true],
    ['a token, by other rules', jwt('b'), jwt('a'), token, false],
    ['a token, beside a new way', { 'any-of': [APIKEY, jwt('a')] }, jwt('a'), token, true],
    [
      'a token, in another of several ways',
      { 'any-of': [APIKEY, jwt('b')] },
      { 'any-of': [APIKEY, jwt('a')] },
      token,
      false,
    ],
    ['a token, where more is to be proved', { 'all-of': [APIKEY, jwt('a')] }, jwt('a'), token, true],
    ['a key, where more is to be proved', { 'all-of': [APIKEY, jwt('a')] }, APIKEY, key, false],
    ['a key', APIKEY, APIKEY, key, true],
  ];
  for (const [name, draft, against, record, isDecided] of cases) {
    it(`${name}: ${isDecided ? 'is decided' : 'nobody can tell'}`, async () => {
      const [one, other] = [replayDocument([draft]), replayDocument([against])];
      const [snapshot, opponent] = [await snapshotOf(one, KEYS), await snapshotOf(other, KEYS)];
      const callers = callersOf(new PolicyCatalog(POLICIES), one, other);
      const diff = await replay(snapshot, [record], { against: opponent, callers });
      assert.equal(diff.totals.undecided, isDecided ? 0 : 1);
      await Promise.all([snapshot.dispose(), opponent.dispose()]);
    });
  }
});
