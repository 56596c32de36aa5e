import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ANN,
  BEN,
  recorded,
  refused,
  refusedBy,
  replayDocument,
  snapshotOf,
  WITH_KEY,
} from '../../../test/fixtures/replays.ts';
import type { RecordedRequest } from '../../contract/index.ts';
import { explain } from './explain.ts';
import type { Explanation } from './explanation.ts';

const APIKEY = { 'api-key': {} };
const STAFF_ONLY = { acl: { allow: { groups: ['staff'] } } };

async function explained(policies: readonly unknown[], record: RecordedRequest): Promise<Explanation> {
  const snapshot = await snapshotOf(replayDocument(policies));
  try {
    return await explain(snapshot, record);
  } finally {
    await snapshot.dispose();
  }
}

const partOf = ({ attachments }: Explanation, policy: string) => {
  const found = attachments.find((a) => a.policy === policy);
  assert.ok(found !== undefined, policy);
  return found;
};
const inputsOf = (explanation: Explanation, policy: string): Record<string, string> =>
  Object.fromEntries(partOf(explanation, policy).inputs.map(({ name, value }) => [name, value]));

describe('why a request is refused', () => {
  it('by whom, by which rule, by what of it', async () => {
    const told = await explained([APIKEY, STAFF_ONLY], recorded({ ...WITH_KEY, identity: BEN }));
    assert.deepEqual([told.outcome.kind, told.outcome.by, told.consumer], ['reject', 'route:all/acl', 'ben']);
    const acl = partOf(told, 'acl');
    assert.deepEqual(
      acl.decisions.map(({ phase, outcome, code }) => [phase, outcome, code]),
      [['request', 'reject', 'forbidden']],
    );
    assert.equal(inputsOf(told, 'acl')['identity.groups'], JSON.stringify(BEN.groups));
    assert.ok(Number(acl.costUs) >= 0);
    assert.equal(told.undecided, undefined);
  });

  it('what became of it without that policy', async () => {
    const told = await explained([APIKEY, STAFF_ONLY], recorded({ ...WITH_KEY, identity: BEN }));
    assert.deepEqual(
      told.changes.map(({ kind, attachment, outcome }) => [kind, attachment, outcome.kind]),
      [['without', 'route:all/acl', 'forward']],
    );
  });

  it('those behind it were not asked, and are told of', async () => {
    const told = await explained(
      [STAFF_ONLY_FIRST, { cors: { origins: ['https://app.example'] } }],
      recorded({}),
    );
    const cors = partOf(told, 'cors');
    assert.deepEqual([cors.decisions, cors.costUs], [[], undefined]);
  });

  it('by no route: no attachment is to blame', async () => {
    const routes = [{ name: 'all', match: { path: '/orders' }, upstream: 'origin', policies: [APIKEY] }];
    const snapshot = await snapshotOf(replayDocument([], { routes }));
    const told = await explain(snapshot, recorded({ target: '/nowhere' }));
    await snapshot.dispose();
    assert.deepEqual([told.outcome.code, told.outcome.by], ['no-route', undefined]);
    assert.deepEqual([told.attachments, told.changes], [[], []]);
  });

  const STAFF_ONLY_FIRST = { 'ip-list': { deny: ['0.0.0.0/0', '::/0'] } };
});

describe('why a request goes on', () => {
  it('each attachment in the order in which they are asked', async () => {
    const told = await explained([APIKEY, STAFF_ONLY], recorded({ ...WITH_KEY, identity: ANN }));
    assert.equal(told.outcome.kind, 'forward');
    assert.deepEqual(
      told.attachments.map(({ policy, decisions }) => [policy, decisions.map(({ outcome }) => outcome)]),
      [
        ['api-key', ['continue']],
        ['acl', ['continue']],
      ],
    );
  });

  it('one to which who calls was taken as proved is told apart from those that judged', async () => {
    const known = await explained([APIKEY, STAFF_ONLY], recorded({ ...WITH_KEY, identity: ANN }));
    const stranger = await explained([APIKEY], recorded({ identity: undefined }));
    const [key, acl, asked] = [partOf(known, 'api-key'), partOf(known, 'acl'), partOf(stranger, 'api-key')];
    assert.deepEqual([key.takenAsProved, key.costUs], [true, undefined]);
    for (const { takenAsProved, costUs } of [acl, asked])
      assert.deepEqual([takenAsProved, typeof costUs], [false, 'number']);
  });

  it('one that is not asked for proof at all, where who calls is given', async () => {
    const snapshot = await snapshotOf(replayDocument([APIKEY]));
    const told = await explain(snapshot, recorded({ identity: ANN }), { isProved: true });
    await snapshot.dispose();
    assert.equal(partOf(told, 'api-key').takenAsProved, true);
  });

  it('what one in shadow would do to it', async () => {
    const told = await explained(
      [APIKEY, { ...STAFF_ONLY, mode: 'shadow' }],
      recorded({ ...WITH_KEY, identity: BEN }),
    );
    assert.equal(told.outcome.kind, 'forward');
    assert.deepEqual(
      told.changes.map(({ kind, attachment, outcome }) => [kind, attachment, outcome.code]),
      [['enforced', 'route:all/acl', 'forbidden']],
    );
  });

  it('its condition, and what that went by', async () => {
    const told = await explained(
      [{ ...{ 'ip-list': { deny: ['198.51.100.0/24'] } }, when: 'request.headers["x-part"] == "b"' }],
      recorded({ headers: ['host', 'api.example.com', 'x-part', 'a'] }),
    );
    assert.equal(partOf(told, 'ip-list').decisions[0].outcome, 'skipped');
    assert.equal(inputsOf(told, 'ip-list')['request.headers.x-part'], 'a');
  });

  it('the counters it goes by', async () => {
    const told = await explained([{ 'rate-limit': { limit: 3, window: '1m', by: 'address' } }], recorded({}));
    const [counter] = partOf(told, 'rate-limit').counters;
    assert.deepEqual([counter.kind, counter.limit, counter.allowed, counter.remaining], ['gcra', 3, true, 2]);
  });
});

describe('what was recorded, and what is not to be seen', () => {
  it('what was decided then stands beside what is decided now', async () => {
    const record = refused(refusedBy('ip-list', 'address-denied', 403), { ...WITH_KEY, identity: ANN });
    const told = await explained([APIKEY], { ...record, revision: 'before' });
    assert.equal(told.outcome.kind, 'forward');
    assert.deepEqual([told.recorded?.revision, told.recorded?.outcome.code], ['before', 'address-denied']);
  });

  it('a request that has not happened has nothing recorded', async () => {
    assert.equal((await explained([APIKEY], recorded({ outcome: undefined }))).recorded, undefined);
  });

  it('no credential is among the inputs, wherever a policy looks for it', async () => {
    const secret = 'k3y-THAT-nobody-1s-to-see-0123456789abcdefABCDEF';
    const told = await explained(
      [
        { 'api-key': { header: 'x-part' } },
        { cors: { origins: ['https://app.example'] }, when: 'request.query["b"] == "1"' },
      ].reverse(),
      recorded({
        headers: ['host', 'api.example.com', 'x-part', secret, 'authorization', `Bearer ${secret}`],
        target: `/orders?token=${secret}&b=1`,
        identity: undefined,
      }),
    );
    assert.equal(JSON.stringify(told).includes(secret), false);
    assert.equal(inputsOf(told, 'api-key')['request.headers.x-part'], '[redacted]');
    assert.equal(inputsOf(told, 'cors')['request.query'], '[redacted]');
  });

  it('what was left out of a record makes it a guess', async () => {
    const told = await explained([APIKEY], recorded({ ...WITH_KEY, identity: undefined }));
    assert.equal(told.undecided, 'credential');
  });
});
