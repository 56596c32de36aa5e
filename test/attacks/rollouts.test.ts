import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { type Static, Type } from '../../src/lib/schema.ts';
import { matches } from '../../src/lib/schema-check.ts';
import { beginRollout, evidenceHash, type Rollout, stepRollout } from '../../src/lifecycle/index.ts';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { RawUpstream } from '../fixtures/raw-upstream.ts';
import { BASE, EMPTY_PLAN, REVISION } from '../fixtures/rollouts/rollout-parts.ts';

/** Whoever wants a revision to go live without being asked, or by another way than its own. */

function waiting(actor: string): Rollout {
  const plan = { ...EMPTY_PLAN, approvals: 2 };
  let rollout = beginRollout({ id: 'r', base: BASE, plan, origin: 'api', actor, reason: '', at: 1 });
  for (const event of [
    { kind: 'checked', at: 2, revision: REVISION },
    { kind: 'tested', at: 3 },
  ] as const) {
    const step = stepRollout(rollout, event);
    assert.ok('rollout' in step);
    rollout = step.rollout;
  }
  assert.equal(rollout.phase, 'approval');
  return rollout;
}

const approve = (rollout: Rollout, actor: string, evidence = evidenceHash(rollout)) =>
  stepRollout(rollout, { kind: 'approve', at: 9, actor, reason: '', evidence });

const SAME = [
  'admin as Ann',
  'admin as ann ',
  'admin as  ann',
  'admin as an\u200bn',
  'admin as ann\u00a0',
  'admin as \u202eann',
  'admin as \uff41nn',
  'admin as ann\u034f',
];

describe('an author', () => {
  for (const name of SAME) {
    it(`does not approve as ${JSON.stringify(name)}`, () => {
      assert.deepEqual(approve(waiting('admin as ann'), name), { refused: 'own-approval' });
    });
  }
  it('nor has two others who read the same', () => {
    const first = approve(waiting('admin as ann'), 'admin as ben');
    assert.ok('rollout' in first);
    assert.deepEqual(approve(first.rollout, 'admin as Ben\u200d'), { refused: 'already-approved' });
  });
  it('nor has what was agreed to elsewhere counted', () => {
    const rollout = waiting('admin as ann');
    const other = evidenceHash({ ...rollout, base: 'b'.repeat(64) });
    assert.deepEqual(approve(rollout, 'admin as ben', other), { refused: 'other-evidence' });
    const laxer = evidenceHash({ ...rollout, plan: { ...rollout.plan, approvals: 0 } });
    assert.deepEqual(approve(rollout, 'admin as ben', laxer), { refused: 'other-evidence' });
  });
  it('while somebody else does', () => {
    assert.ok('rollout' in approve(waiting('admin as ann'), 'admin as anna'));
  });
});

const Shown = Type.Object({
  id: Type.String(),
  revision: Type.String(),
  phase: Type.String(),
  evidence: Type.Union([Type.String(), Type.Null()]),
});
type Shown = Static<typeof Shown>;

describe('the API of rollouts', () => {
  let gateway: Gateway;
  let upstream: RawUpstream;
  let id = '';
  let evidence = '';
  const document = (marker: string) => ({
    ...proxyDocument({
      port: gateway.port,
      upstream: upstream.url,
      policies: [{ headers: { response: { set: { 'x-marker': marker } } } }],
    }),
    rollout: { approvals: 1 },
  });

  const current = async (): Promise<Shown> => {
    const response = await gateway.admin('GET', '/api/rollouts/current');
    const shown: unknown = await response.json();
    assert.ok(matches(Shown, shown));
    return shown;
  };

  before(async () => {
    upstream = await RawUpstream.start();
    gateway = await startGateway(proxyDocument({ port: await freePort(), upstream: upstream.url }), {
      admin: true,
    });
    const started = await gateway.admin('POST', '/api/rollouts?as=ann', document('one'));
    assert.equal(started.status, 202, await started.text());
    const now = await current();
    id = now.id;
    evidence = now.evidence ?? '';
    assert.match(evidence, /^[0-9a-f]{64}$/);
  });
  after(async () => {
    await gateway.stop();
    await upstream.stop();
  });

  const phase = async (): Promise<string> => (await current()).phase;

  const WRITES = ['approve', 'pause', 'resume', 'promote', 'abort'];

  /** One request as it is said, whatever clients would make of it. */
  const asked = (method: string, path: string, headers: Readonly<Record<string, string>>, body = '') =>
    new Promise<number>((resolve, reject) => {
      const sent = request(
        { host: '127.0.0.1', port: gateway.adminPort, method, path, headers },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });

  it('gives nothing to who has no token', async () => {
    const body = JSON.stringify({ as: 'ben', evidence });
    const json = { 'content-type': 'application/json' };
    for (const write of WRITES)
      assert.equal(await asked('POST', `/api/rollouts/${id}/${write}`, json, body), 401);
    for (const path of [
      '/api/rollouts',
      '/api/rollouts/current',
      `/api/rollouts/${id}`,
      `/api/rollouts/${id}/events`,
    ])
      assert.equal(await asked('GET', path, {}), 401);
    assert.equal(await asked('POST', '/api/rollouts', json, JSON.stringify(document('two'))), 401);
    assert.equal(await asked('POST', '/api/rollback', json, '{}'), 401);
    assert.equal(await asked('POST', '/api/rollback?token=x&access_token=x', json, '{}'), 400);
    assert.equal(await phase(), 'approval');
  });

  it('nor to a page of another site, which can send no JSON and no token', async () => {
    const authorization = `Bearer ${await gateway.adminToken()}`;
    const body = JSON.stringify({ as: 'ben', evidence });
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=b',
      '',
    ]) {
      const headers = { authorization, ...(type === '' ? {} : { 'content-type': type }) };
      const status = await asked('POST', `/api/rollouts/${id}/approve`, headers, body);
      assert.ok(status >= 400 && status < 500, `${type}: ${status}`);
    }
    const status = await asked(
      'POST',
      `/api/rollouts/${id}/approve`,
      {
        authorization,
        host: 'evil.example',
        'content-type': 'application/json',
      },
      body,
    );
    assert.ok(status >= 400 && status < 500, `another host: ${status}`);
    assert.equal(await phase(), 'approval');
  });

  it('nor by another method', async () => {
    const authorization = `Bearer ${await gateway.adminToken()}`;
    const headers = { authorization, 'content-type': 'application/json' };
    for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      for (const write of WRITES) {
        const status = await asked(method, `/api/rollouts/${id}/${write}`, headers);
        assert.ok(status >= 400 && status < 500, `${method} ${write}: ${status}`);
      }
    }
    const overridden = { ...headers, 'x-http-method-override': 'POST' };
    assert.ok((await asked('GET', `/api/rollouts/${id}/approve`, overridden)) >= 400);
    assert.equal(await phase(), 'approval');
  });

  it('takes no name but one, and no evidence but what it shows', async () => {
    const bodies: readonly unknown[] = [
      { evidence },
      { as: 'ann', evidence },
      { as: 'ANN', evidence },
      { as: 'ann\u200b', evidence },
      { as: 'b\u001b[2Ken', evidence },
      { as: 'ben', evidence: 'f'.repeat(64) },
      { as: 'ben', evidence: '' },
      { as: 'ben', evidence, to: 'active' },
      [{ as: 'ben', evidence }],
    ];
    for (const body of bodies) {
      const { status } = await gateway.admin('POST', `/api/rollouts/${id}/approve`, body);
      assert.ok(status >= 400 && status < 500, `${JSON.stringify(body)}: ${status}`);
    }
    assert.equal(await phase(), 'approval');
  });

  it('goes back to nothing that was never live, which nobody has agreed to', async () => {
    const { revision } = await current();
    const body = { revision, as: 'ben' };
    const during = await gateway.admin('POST', '/api/rollback', body);
    assert.equal(during.status, 409, await during.text());
    assert.equal(await phase(), 'approval');
  });

  it('has one of many publishers at once, and no other while it is under way', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        gateway.admin('POST', '/api/rollouts?as=eve', document(`race-${i}`)),
      ),
    );
    assert.ok(
      answers.every(({ status }) => status === 409),
      `${answers.map(({ status }) => status)}`,
    );
    // What lies on disk waits, however often it is told to be read.
    for (let i = 0; i < 20; i++) process.kill(gateway.pid, 'SIGHUP');
    assert.equal(await phase(), 'approval');
    const { status } = await gateway.admin('POST', `/api/rollouts/${id}/abort`, {});
    assert.equal(status, 200);
    const raced = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        gateway.admin('POST', '/api/rollouts?as=eve', document(`again-${i}`)),
      ),
    );
    const statuses = raced.map(({ status }) => status);
    assert.equal(statuses.filter((s) => s === 202).length, 1, `${statuses}`);
    assert.equal(statuses.filter((s) => s === 409).length, 7, `${statuses}`);
    const { id: last, revision } = await current();
    assert.equal((await gateway.admin('POST', `/api/rollouts/${last}/abort`, {})).status, 200);
    const after = await gateway.admin('POST', '/api/rollback', { revision, as: 'ben' });
    assert.equal(after.status, 409, await after.text());
  });

  it('takes no document without end, nor one that is deep', async () => {
    const huge = await gateway
      .admin('POST', '/api/rollouts', `{"a":"${'x'.repeat(30_000_000)}"}`)
      .catch(() => undefined);
    assert.ok(huge === undefined || (huge.status >= 400 && huge.status < 500));
    const deep = await gateway.admin('POST', '/api/rollouts', `${'['.repeat(200_000)}${']'.repeat(200_000)}`);
    assert.ok(deep.status >= 400 && deep.status < 500, `${deep.status}`);
    assert.equal((await gateway.admin('GET', '/api/status')).status, 200);
  });
});
