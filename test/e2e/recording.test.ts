import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { RecordedRequest } from '../../src/contract/index.ts';
import { openRecordingIn } from '../../src/control/index.ts';
import { type Document, freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { eventually, Program } from '../fixtures/process.ts';
import { RawUpstream } from '../fixtures/raw-upstream.ts';
import { all } from '../fixtures/recording/stage.ts';

/** The program records what it serves, and what it has recorded outlives it. */

const KEYS = { OLD_KEY: '11'.repeat(32), NEW_KEY: '22'.repeat(32) };

const source = (dataDir: string, references: readonly string[] = []) => ({
  references,
  dataDir,
  environment: KEYS,
  randomBytes,
});

async function recorded(dataDir: string, references: readonly string[] = []): Promise<RecordedRequest[]> {
  return await all((await openRecordingIn(source(dataDir, references))).read());
}

describe('a gateway that records', () => {
  let upstream: RawUpstream;
  before(async () => {
    upstream = await RawUpstream.start();
  });
  after(() => upstream.stop());

  const documentOf = async (more: Document = {}): Promise<Document> =>
    proxyDocument({
      port: await freePort(),
      upstream: upstream.url,
      policies: [{ acl: { allow: 'everyone', deny: { paths: ['/no/**'] } } }],
      document: more,
    });
  const dataOf = (gateway: Gateway): string => join(gateway.folder, 'data');
  const ask = async (gateway: Gateway, path: string): Promise<number> => {
    const answer = await fetch(`http://127.0.0.1:${gateway.port}${path}`);
    await answer.text();
    return answer.status;
  };
  const has = async (gateway: Gateway, event: string): Promise<void> =>
    await eventually(async () => gateway.output.includes(event));

  it('writes all of it before it ends', async () => {
    const gateway = await startGateway(await documentOf(), { workers: 2, admin: true });
    await gateway.admin('GET', '/api/recordings');
    for (let i = 0; i < 40; i++) await ask(gateway, `${i % 4 === 0 ? '/no' : '/yes'}/${i}`);
    gateway.process.kill('SIGTERM');
    await once(gateway.process, 'exit');
    const records = await recorded(dataOf(gateway));
    const denied = records.filter(({ outcome }) => outcome?.kind === 'reject');
    assert.deepEqual([records.length, denied.length, denied[0].outcome?.policy], [40, 10, 'acl']);
    assert.ok(records.every(({ weight }) => weight === 1));
    const times = records.map(({ atMs }) => atMs);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
      'both workers’ in one order',
    );
    await gateway.stop();
  });

  it('leaves what it has written when it is killed, and goes on', async () => {
    const gateway = await startGateway(await documentOf(), { workers: 2, admin: true });
    for (let i = 0; i < 20; i++) await ask(gateway, `/before/${i}`);
    await gateway.admin('GET', '/api/recordings');
    const asking = Promise.allSettled(Array.from({ length: 50 }, (_, i) => ask(gateway, `/during/${i}`)));
    gateway.process.kill('SIGKILL');
    await asking;
    const recording = await openRecordingIn(source(dataOf(gateway)));
    const records = await all(recording.read());
    assert.equal(recording.faults.tampered, 0);
    const before = records.filter(({ target }) => target.startsWith('/before'));
    // Those that came before the workers were told to record are not among them.
    assert.ok(before.length > 0 && before.length <= 20);
    const admin = `127.0.0.1:${await freePort()}`;
    const data = dataOf(gateway);
    const again = new Program([
      'run',
      '-c',
      gateway.configFile,
      '-d',
      data,
      '-a',
      admin,
      '--records',
      'none',
    ]);
    await again.says(/Sallyport serves/);
    // Answered once the workers record.
    assert.equal(await new Program(['recordings', '--admin', admin, '--data', data]).exit(), 0);
    await ask(gateway, '/after');
    again.signal('SIGTERM');
    assert.equal(await again.exit(), 0);
    assert.equal((await recorded(data)).at(-1)?.target, '/after');
    await gateway.stop();
  });

  it('reads with all its keys, and writes with the first', async () => {
    const document = await documentOf();
    const gateway = await startGateway(document, {
      admin: true,
      env: KEYS,
      arguments: ['--master-key', 'env:OLD_KEY'],
    });
    await gateway.admin('GET', '/api/recordings');
    await ask(gateway, '/old');
    gateway.process.kill('SIGTERM');
    await once(gateway.process, 'exit');
    const data = dataOf(gateway);
    const summaryOf = async (...references: readonly string[]) => {
      const { requests, faults } = await (await openRecordingIn(source(data, references))).summary();
      return [requests, faults.foreign, faults.tampered];
    };
    assert.deepEqual(await summaryOf('env:OLD_KEY'), [1, 0, 0]);
    assert.deepEqual(await summaryOf('env:NEW_KEY'), [0, 1, 0]);
    assert.deepEqual(await summaryOf('env:NEW_KEY', 'env:OLD_KEY'), [1, 0, 0]);
    await gateway.stop();
  });

  it('serves on where it cannot record, and says so once', async () => {
    const gateway = await startGateway(await documentOf(), { admin: true, workers: 1 });
    await gateway.admin('GET', '/api/recordings');
    // As if the disk were full from now on.
    writeFileSync(join(dataOf(gateway), 'recordings'), 'no folder');
    for (let i = 0; i < 3; i++) {
      assert.equal(await ask(gateway, `/${i}`), 200);
      await gateway.admin('GET', '/api/recordings').catch(() => {});
    }
    await has(gateway, 'recording-stopped');
    assert.equal(gateway.output.match(/recording-stopped/g)?.length, 1);
    const metrics = await (await gateway.admin('GET', '/metrics')).text();
    assert.match(metrics, /^sallyport_recording_dropped_total 3$/m);
    assert.match(metrics, /^sallyport_recording_kept_total 0$/m);
    await gateway.stop();
  });

  it('records nothing where the document says so', async () => {
    const gateway = await startGateway(await documentOf({ recording: 'off' }), { admin: true });
    await gateway.admin('GET', '/api/recordings');
    await ask(gateway, '/a');
    const answer = await gateway.admin('GET', '/api/recordings');
    assert.equal(Object(await answer.json()).requests, 0);
    await gateway.stop();
  });

  it('goes on in a worker that takes the place of another', async () => {
    const gateway = await startGateway(await documentOf(), { admin: true, workers: 1 });
    await gateway.admin('GET', '/api/recordings');
    await ask(gateway, '/one');
    assert.equal((await gateway.admin('POST', '/api/workers/0/restart', {})).ok, true);
    await has(gateway, 'worker-replaced');
    // Answered once the new one records.
    await gateway.admin('GET', '/api/recordings');
    await ask(gateway, '/two');
    await gateway.admin('GET', '/api/recordings');
    const targets = (await recorded(dataOf(gateway))).map(({ target }) => target);
    assert.deepEqual(targets, ['/one', '/two']);
    await gateway.stop();
  });

  it('tells what there is, and forgets it when told to', async () => {
    const gateway = await startGateway(await documentOf(), { admin: true, workers: 1 });
    await gateway.admin('GET', '/api/recordings');
    for (let i = 0; i < 5; i++) await ask(gateway, `/${i}`);
    const at = ['--admin', `127.0.0.1:${gateway.adminPort}`, '--data', dataOf(gateway)];
    const show = new Program(['recordings', ...at]);
    assert.equal(await show.exit(), 0);
    assert.match(show.stdout, /requests +5, of which 5 are kept/);
    const clear = new Program(['recordings', 'clear', '--reason', 'on request', ...at]);
    assert.equal(await clear.exit(), 0);
    assert.match(clear.stdout, /1 file of .* deleted, 0 B left/);
    const audit = await (await gateway.admin('GET', '/api/audit')).text();
    assert.match(audit, /"recording\.clear"/);
    assert.deepEqual(await recorded(dataOf(gateway)), []);
    await gateway.stop();
  });
});
