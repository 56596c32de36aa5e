import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeCallers, NOW } from '../../../test/fixtures/callers.ts';
import { type RevocationEntry, StoreError } from '../../store/index.ts';

const HOUR = 3_600_000;
const token = (id: string, until = NOW + HOUR) => ({
  issuer: 'https://issuer.example',
  id,
  until,
  reason: 'stolen',
});

test('a token that has expired need not be revoked', async () => {
  const { callers, spread } = await makeCallers();
  const attempt = callers.revocations.revokeToken(token('a', NOW), 'admin');
  await assert.rejects(attempt, { name: 'ProblemError', code: 'invalid-request' });
  assert.deepEqual(spread, []);
});

test('a revoked token is refused in every worker, and another’s of the same id is not', async () => {
  const { callers, worker, store } = await makeCallers();
  const { version } = worker.revocations;
  await callers.revocations.revokeToken(token('a'), 'admin');
  assert.equal(worker.revocations.hasToken('https://issuer.example', 'a'), true);
  assert.equal(worker.revocations.hasToken('https://other.example', 'a'), false);
  assert.equal(worker.revocations.hasToken('https://issuer.example', 'b'), false);
  assert.ok(worker.revocations.version > version, 'what was remembered of tokens is to be looked at again');
  const [entry] = await store.listAudit({ limit: 1 });
  assert.deepEqual(
    [entry.action, entry.subject, entry.detail],
    ['token.revoke', 'https://issuer.example', { jti: 'a', reason: 'stolen' }],
  );
});

test('revocations that do not matter any more are forgotten, and none is shortened', async () => {
  const { callers, clock, spread } = await makeCallers();
  await callers.revocations.revokeToken(token('a', NOW + HOUR), 'admin');
  await callers.revocations.revokeToken(token('a', NOW + 1), 'admin');
  await callers.revocations.revokeToken(token('b', NOW + 2 * HOUR), 'admin');
  clock.ms += HOUR - 1;
  assert.deepEqual(
    callers.revocations.list().map(({ subject, until }) => [subject, until]),
    [
      ['a', NOW + HOUR],
      ['b', NOW + 2 * HOUR],
    ],
  );
  clock.ms += 1;
  await callers.revocations.revokeToken(token('c', NOW + 3 * HOUR), 'admin');
  const last = spread.at(-1);
  assert.ok(last?.subject === 'revocations');
  assert.deepEqual(
    last.tokens.map(([, id]) => id),
    ['b', 'c'],
  );
});

test('all revocations are there again after a start', async () => {
  const first = await makeCallers();
  first.declare([{ name: 'declared', credentials: [{ 'api-key': { secret: 'env:A' } }] }]);
  await first.callers.revocations.revokeToken(token('a'), 'admin');
  await first.callers.credentials.revoke('declared-1', 'leaked', 'admin');
  await first.callers.consumers.disable('declared', '', 'admin');
  const { worker, callers } = await makeCallers({ store: () => first.store });
  assert.equal(worker.revocations.hasToken('https://issuer.example', 'a'), true);
  assert.equal(worker.revocations.hasCredential('declared-1'), true);
  assert.equal(worker.revocations.hasConsumer('declared'), true);
  assert.equal(callers.revocations.list().length, 3);
});

test('a start without a store refuses what was revoked all the same, and says what it cannot read', async () => {
  let saved: readonly RevocationEntry[] = [];
  const kept = {
    load: () => saved,
    save: (entries: readonly RevocationEntry[]) => {
      saved = [...entries];
    },
  };
  const first = await makeCallers({ kept });
  first.declare([{ name: 'declared', credentials: [{ 'api-key': { secret: 'env:A' } }] }]);
  await first.callers.revocations.revokeToken(token('a'), 'admin');
  await first.callers.credentials.revoke('declared-1', 'leaked', 'admin');
  const { worker, logged } = await makeCallers({ kept, store: () => undefined });
  assert.equal(worker.revocations.hasToken('https://issuer.example', 'a'), true);
  assert.equal(worker.revocations.hasCredential('declared-1'), true);
  assert.deepEqual(logged, []);
  await first.callers.credentials.restore('declared-1', 'admin');
  const later = await makeCallers({ kept, store: () => undefined });
  assert.equal(later.worker.revocations.hasCredential('declared-1'), false);
  const damaged = {
    load: () => {
      throw new StoreError('corrupt', 'damaged');
    },
    save: () => {
      throw new StoreError('unavailable', 'full');
    },
  };
  const deaf = await makeCallers({ kept: damaged, store: () => undefined });
  assert.deepEqual(
    deaf.logged.map(([event]) => event),
    ['revocations-not-loaded'],
  );
  const full = await makeCallers({ kept: damaged });
  await full.callers.revocations.revokeToken(token('a'), 'admin');
  assert.deepEqual(
    full.logged.map(([event]) => event),
    ['revocations-not-kept'],
  );
});
