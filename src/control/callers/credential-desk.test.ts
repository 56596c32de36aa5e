import assert from 'node:assert/strict';
import { generateKeyPairSync, hash } from 'node:crypto';
import { describe, it } from 'node:test';
import { type CallersUnderTest, makeCallers, masterKeys, NOW } from '../../../test/fixtures/callers.ts';
import { LOCAL } from '../../../test/fixtures/certificates.ts';
import { readPasswordVerifier, readSignatureKey, verifyPassword } from '../../identity/index.ts';
import type { NewCredential } from './credential-desk.ts';

const DAY = 86_400_000;
const code = (expected: string) => ({ name: 'ProblemError', code: expected });
const fingerprint = (secret: string | undefined) => hash('sha256', secret ?? '', 'base64url');

const asked = (more: Partial<NewCredential> = {}): NewCredential => ({
  consumer: 'app',
  kind: 'api-key',
  notBefore: undefined,
  expiresAt: undefined,
  ...more,
});

async function withApp(): Promise<CallersUnderTest> {
  const world = await makeCallers();
  await world.callers.consumers.create({ name: 'app', id: undefined, groups: ['partners'] }, 'admin');
  return world;
}

const pem = (): string =>
  String(generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }));

describe('a new credential', () => {
  it('is refused for nobody, with what is not its kind’s, and with times that make no sense', async () => {
    const { callers, store } = await withApp();
    const cases: [string, Partial<NewCredential>, string][] = [
      ['nobody', { consumer: 'nobody' }, 'not-found'],
      ['a key with a user name', { username: 'app' }, 'invalid-request'],
      ['a key with a public key', { publicKey: pem() }, 'invalid-request'],
      ['a password with a key id', { kind: 'basic-auth', keyId: 'k' }, 'invalid-request'],
      ['a certificate without one', { kind: 'mtls' }, 'invalid-request'],
      ['a certificate that is none', { kind: 'mtls', certificate: pem() }, 'invalid-request'],
      ['a public key that is none', { kind: 'hmac-signature', publicKey: 'x' }, 'invalid-request'],
      [
        'a private key',
        {
          kind: 'hmac-signature',
          publicKey: String(
            generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
          ),
        },
        'invalid-request',
      ],
      ['expired', { expiresAt: NOW }, 'invalid-request'],
      ['over before it begins', { notBefore: NOW + DAY, expiresAt: NOW + DAY }, 'invalid-request'],
    ];
    for (const [name, more, expected] of cases) {
      await assert.rejects(callers.credentials.create(asked(more), 'admin'), code(expected), name);
    }
    assert.deepEqual(await store.consumers.countActive(), { consumers: 1, credentials: 0 });
  });

  it('is refused for a user name, key id or certificate that is taken', async () => {
    const { callers, declare } = await withApp();
    const { cert } = LOCAL;
    declare([
      {
        name: 'declared',
        credentials: [
          { 'basic-auth': { username: 'taken', password: 'env:P' } },
          { 'hmac-signature': { keyId: 'taken', secret: 'env:S' } },
        ],
      },
    ]);
    const twice: Partial<NewCredential>[] = [
      { kind: 'basic-auth' },
      { kind: 'hmac-signature', keyId: 'k' },
      { kind: 'mtls', certificate: cert },
    ];
    for (const more of twice) {
      await callers.credentials.create(asked(more), 'admin');
      await assert.rejects(callers.credentials.create(asked(more), 'admin'), code('conflict'));
    }
    for (const more of [
      { kind: 'basic-auth', username: 'taken' },
      { kind: 'hmac-signature', keyId: 'taken' },
    ] as const) {
      await assert.rejects(callers.credentials.create(asked(more), 'admin'), code('conflict'));
    }
  });

  it('is an API key that is found by its hash, and kept as nothing else', async () => {
    const { callers, store, live } = await withApp();
    const { credential, secret } = await callers.credentials.create(
      asked({ notBefore: NOW - 1000, expiresAt: NOW + DAY }),
      'admin',
    );
    assert.match(secret ?? '', /^spk_[0-9A-Za-z]{49}$/);
    assert.deepEqual(credential, {
      id: credential.id,
      consumer: 'app',
      kind: 'api-key',
      origin: 'live',
      shown: secret?.slice(0, 10),
      state: 'active',
      createdAt: NOW,
      createdBy: 'admin',
      notBefore: NOW - 1000,
      expiresAt: NOW + DAY,
      revokedAt: undefined,
      lastUsedAt: undefined,
      successor: undefined,
    });
    const found = live.find('api-key', fingerprint(secret));
    assert.deepEqual(found?.identity.credential, { id: credential.id, kind: 'api-key' });
    assert.deepEqual([found?.notBeforeMs, found?.expiresAtMs], [NOW - 1000, NOW + DAY]);
    const row = await store.consumers.getCredential(credential.id);
    assert.deepEqual([row?.lookup, row?.verifier, row?.sealed], [fingerprint(secret), undefined, undefined]);
    const audit = JSON.stringify(await store.listAudit({ limit: 9 }));
    for (const kept of [JSON.stringify(row), audit]) assert.ok(!kept.includes(secret?.slice(11) ?? ''));
  });

  it('is a password that is kept as an argon2id hash', async () => {
    const { callers, store, live } = await withApp();
    const { credential, secret = '' } = await callers.credentials.create(
      asked({ kind: 'basic-auth', username: 'jürgen' }),
      'admin',
    );
    assert.deepEqual([credential.shown, secret.slice(0, 4)], ['jürgen', 'spp_']);
    const row = await store.consumers.getCredential(credential.id);
    assert.match(row?.verifier ?? '', /^\$argon2id\$/);
    assert.equal(row?.sealed, undefined);
    const verifier = readPasswordVerifier(live.find('basic-auth', 'jürgen')?.verifier ?? '');
    assert.equal(await verifyPassword('jürgen', `${secret}x`, verifier), false);
    assert.equal(await verifyPassword('jürgen', secret, verifier), true);
  });

  it('is a shared secret that is kept encrypted, bound to its id', async () => {
    const { callers, store, live, keys } = await withApp();
    const { credential, secret = '' } = await callers.credentials.create(
      asked({ kind: 'hmac-signature' }),
      'admin',
    );
    assert.deepEqual([credential.shown, secret.slice(0, 4)], [credential.id, 'sps_']);
    const { sealed = '', verifier } = (await store.consumers.getCredential(credential.id)) ?? {};
    assert.equal(verifier, undefined);
    assert.throws(() => keys.open(sealed, 'cr-0000000000000000'), { name: 'SealError' });
    assert.throws(() => masterKeys().open(sealed, credential.id), { name: 'SealError' });
    const held = live.find('hmac-signature', credential.id)?.verifier ?? '';
    assert.equal(Buffer.from(held.split(':')[1], 'base64url').toString(), secret);
    assert.equal(readSignatureKey(held).algorithm, 'hmac-sha256');
  });

  it('is the caller’s own public key or certificate, and then has no secret', async () => {
    const { callers, live } = await withApp();
    const publicKey = pem();
    const signing = await callers.credentials.create(
      asked({ kind: 'hmac-signature', keyId: 'my key', publicKey }),
      'admin',
    );
    assert.equal(signing.secret, undefined);
    assert.equal(live.find('hmac-signature', 'my key')?.verifier, publicKey);
    const { cert } = LOCAL;
    const { secret, credential } = await callers.credentials.create(
      asked({ kind: 'mtls', certificate: cert }),
      'admin',
    );
    assert.equal(secret, undefined);
    assert.equal(live.find('mtls', credential.shown ?? '')?.identity.consumer, 'app');
  });

  it('may be for a consumer of the document, and counts for nothing without it', async () => {
    const { callers, declare, live } = await makeCallers();
    declare([{ name: 'declared', groups: ['g'] }]);
    const { secret } = await callers.credentials.create(asked({ consumer: 'declared' }), 'admin');
    const found = live.find('api-key', fingerprint(secret));
    assert.deepEqual([found?.isOfDocument, found?.identity.consumer], [true, 'declared']);
    assert.equal(live.consumer('declared'), undefined);
  });
});

describe('a credential that is taken back', () => {
  it('is found no more from when that is answered, and stays so', async () => {
    const { callers, live, store } = await withApp();
    const { credential, secret } = await callers.credentials.create(asked(), 'admin');
    const revoked = await callers.credentials.revoke(credential.id, 'leaked', 'admin');
    assert.deepEqual([revoked.state, revoked.revokedAt], ['revoked', NOW]);
    assert.equal(live.find('api-key', fingerprint(secret)), undefined);
    await callers.credentials.revoke(credential.id, 'again', 'admin');
    await assert.rejects(callers.credentials.restore(credential.id, 'admin'), code('conflict'));
    await assert.rejects(
      callers.credentials.rotate(credential.id, { overlapMs: 0, expiresAt: undefined }, 'admin'),
      code('conflict'),
    );
    const audit = (await store.listAudit({ limit: 9 })).filter(
      ({ action }) => action === 'credential.revoke',
    );
    assert.deepEqual(
      audit.map(({ detail }) => detail.reason),
      ['leaked'],
    );
  });

  it('may be one of the document, by its id, and given back', async () => {
    const { callers, worker, declare } = await makeCallers();
    declare([{ name: 'declared', credentials: [{ 'api-key': { secret: 'env:A' } }] }]);
    await assert.rejects(callers.credentials.revoke('declared-2', '', 'admin'), code('not-found'));
    const revoked = await callers.credentials.revoke('declared-1', 'leaked', 'admin');
    assert.deepEqual([revoked.state, revoked.origin], ['revoked', 'document']);
    assert.equal(worker.revocations.hasCredential('declared-1'), true);
    const restored = await callers.credentials.restore('declared-1', 'admin');
    assert.equal(restored.state, 'active');
    assert.equal(worker.revocations.hasCredential('declared-1'), false);
    await assert.rejects(callers.credentials.restore('nothing', 'admin'), code('not-found'));
  });
});

describe('a credential that is rotated', () => {
  const DAY_OVERLAP = { overlapMs: DAY, expiresAt: undefined };

  it('is refused where its secret is not made here, where it is over, and a second time', async () => {
    const { callers, declare, clock } = await withApp();
    declare([{ name: 'declared', credentials: [{ 'api-key': { secret: 'env:A' } }] }]);
    const { cert } = LOCAL;
    const make = async (more: Partial<NewCredential>) =>
      (await callers.credentials.create(asked(more), 'admin')).credential.id;
    const short = await make({ expiresAt: NOW + 1000 });
    const rotated = await make({});
    await callers.credentials.rotate(rotated, DAY_OVERLAP, 'admin');
    const cases: [string, string, string][] = [
      ['nothing', 'cr-0000000000000000', 'not-found'],
      ['of the document', 'declared-1', 'conflict'],
      ['a public key', await make({ kind: 'hmac-signature', publicKey: pem() }), 'conflict'],
      ['a certificate', await make({ kind: 'mtls', certificate: cert }), 'conflict'],
      ['a user name, with two passwords', await make({ kind: 'basic-auth' }), 'conflict'],
      ['rotated already', rotated, 'conflict'],
      ['expired', short, 'conflict'],
    ];
    clock.ms += 1000;
    for (const [name, id, expected] of cases) {
      await assert.rejects(callers.credentials.rotate(id, DAY_OVERLAP, 'admin'), code(expected), name);
    }
  });

  it('is accepted beside its heir for the overlap, and not longer', async () => {
    const { callers, live, clock } = await withApp();
    const before = await callers.credentials.create(asked(), 'admin');
    const { credential, secret } = await callers.credentials.rotate(
      before.credential.id,
      DAY_OVERLAP,
      'admin',
    );
    assert.equal(live.find('api-key', fingerprint(before.secret))?.expiresAtMs, NOW + DAY);
    assert.equal(live.find('api-key', fingerprint(secret))?.expiresAtMs, undefined);
    const old = await callers.credentials.get(before.credential.id);
    assert.deepEqual([old.state, old.expiresAt, old.successor], ['active', NOW + DAY, credential.id]);
    clock.ms += DAY;
    assert.equal((await callers.credentials.get(before.credential.id)).state, 'expired');
    assert.equal((await callers.credentials.get(credential.id)).state, 'active');
  });

  it('ends at once without an overlap, whatever its kind', async () => {
    for (const kind of ['api-key', 'basic-auth', 'hmac-signature'] as const) {
      const { callers, live } = await withApp();
      const before = await callers.credentials.create(asked({ kind }), 'admin');
      const now = { overlapMs: 0, expiresAt: undefined };
      const heir = await callers.credentials.rotate(before.credential.id, now, 'admin');
      assert.equal((await callers.credentials.get(before.credential.id)).state, 'revoked', kind);
      assert.notEqual(heir.secret, before.secret);
      const keyOf = ({ credential, secret }: typeof before) =>
        kind === 'api-key' ? fingerprint(secret) : (credential.shown ?? '');
      assert.equal(live.find(kind, keyOf(heir))?.identity.credential?.id, heir.credential.id, kind);
      if (kind !== 'basic-auth') assert.equal(live.find(kind, keyOf(before)), undefined, kind);
    }
  });

  it('never lives longer for it, and its heir as long as it did, unless that is said', async () => {
    const { callers, clock } = await withApp();
    const { credentials } = callers;
    const one = await credentials.create(asked({ expiresAt: NOW + 30 * DAY }), 'admin');
    clock.ms += 29.5 * DAY;
    const two = await credentials.rotate(one.credential.id, DAY_OVERLAP, 'admin');
    assert.equal((await credentials.get(one.credential.id)).expiresAt, NOW + 30 * DAY);
    assert.equal(two.credential.expiresAt, NOW + 59.5 * DAY);
    const three = await credentials.rotate(
      two.credential.id,
      { ...DAY_OVERLAP, expiresAt: NOW + 40 * DAY },
      'admin',
    );
    assert.equal(three.credential.expiresAt, NOW + 40 * DAY);
  });
});

describe('credentials', () => {
  it('are listed, those of the document first, newest first, of all or of one consumer', async () => {
    const { callers, declare, used, clock } = await withApp();
    declare([
      { name: 'app' },
      {
        name: 'declared',
        credentials: [
          { 'api-key': { secret: 'env:A', expires: '2026-11-22' } },
          { 'basic-auth': { username: 'u', password: 'env:P', id: 'named', notBefore: '2027-01-01' } },
        ],
      },
    ]);
    const made: string[] = [];
    for (let n = 0; n < 3; n++) made.push((await callers.credentials.create(asked(), 'admin')).credential.id);
    used.add('named').add(made[1]).add('stranger');
    clock.ms += 5000;
    const all = { limit: 2, before: undefined, consumer: undefined };
    const first = await callers.credentials.list(all);
    assert.deepEqual(
      first.credentials.map(({ id, state, lastUsedAt, shown }) => [
        id,
        state,
        lastUsedAt,
        shown?.slice(0, 4),
      ]),
      [
        ['declared-1', 'expired', undefined, undefined],
        ['named', 'early', NOW + 5000, 'u'],
        [made[2], 'active', undefined, 'spk_'],
        [made[1], 'active', NOW + 5000, 'spk_'],
      ],
    );
    const second = await callers.credentials.list({ ...all, before: first.next });
    assert.deepEqual([second.credentials.map(({ id }) => id), second.next], [[made[0]], undefined]);
    const own = await callers.credentials.list({ ...all, limit: 9, consumer: 'declared' });
    assert.deepEqual(
      own.credentials.map(({ id }) => id),
      ['declared-1', 'named'],
    );
    const none = await callers.credentials.list({ ...all, consumer: 'nobody' });
    assert.deepEqual(none, { credentials: [], next: undefined });
  });
});
