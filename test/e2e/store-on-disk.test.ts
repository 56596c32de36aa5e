/** A gateway whose store on disk is locked, full or damaged, and one that is killed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { freePort, proxyDocument } from '../fixtures/gateway.ts';
import { eventually, Program, temporaryFolder } from '../fixtures/process.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of many forms, which the assertions look at
type Answer = any;

/** The program on one folder, started as often as a test wants. */
class Running {
  readonly folder: string;
  readonly data: string;
  readonly #port: number;
  readonly #adminPort: number;
  program: Program;

  private constructor(folder: string, data: string, ports: readonly [number, number]) {
    this.folder = folder;
    this.data = data;
    [this.#port, this.#adminPort] = ports;
    const routes = [{ name: 'none', match: { path: '/none' }, upstream: 'origin', policies: [] }];
    const document = { ...proxyDocument({ port: this.#port, upstream: 'http://127.0.0.1:9' }), routes };
    writeFileSync(join(folder, 'gateway.json'), JSON.stringify({ ...document, recording: 'off' }));
    this.program = this.#start();
  }

  static async on(folder: string, data = join(folder, 'data')): Promise<Running> {
    const running = new Running(folder, data, [await freePort(), await freePort()]);
    await running.program.says(/Sallyport serves/);
    return running;
  }

  async killAndStart(): Promise<void> {
    this.program.signal('SIGKILL');
    await this.program.exit();
    this.program = this.#start();
    await this.program.says(/Sallyport serves/);
  }

  async api(method: string, path: string, body?: object): Promise<{ status: number; json: Answer }> {
    const answer = await fetch(`http://127.0.0.1:${this.#adminPort}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${readFileSync(join(this.data, 'admin-token'), 'utf8').trim()}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, json: await answer.json() };
  }

  create = async (name: string): Promise<number> =>
    (await this.api('POST', '/api/consumers', { name, groups: [] })).status;

  storeState = async (): Promise<string> => (await this.api('GET', '/api/status')).json.store;

  /** 404 while it serves. */
  async serves(): Promise<boolean> {
    return (
      (await fetch(`http://127.0.0.1:${this.#port}/`, { headers: { connection: 'close' } })).status === 404
    );
  }

  #start(): Program {
    const place = ['--config', join(this.folder, 'gateway.json'), '--data', this.data, '--records', 'none'];
    return new Program(['run', ...place, '--admin', `127.0.0.1:${this.#adminPort}`, '--workers', '1']);
  }
}

/** Everything that is told of a loss, once each. */
async function isTold(gateway: Running): Promise<void> {
  assert.equal(await gateway.storeState(), 'ok');
  for (const event of ['store-unavailable', 'store-recovered']) {
    assert.equal(gateway.program.stderr.match(new RegExp(`"event":"${event}"`, 'g'))?.length, 1, event);
  }
}

describe('a gateway whose store on disk cannot be used', () => {
  test('since another program has locked it: serves, refuses changes, and goes on by itself', async () => {
    const folder = await temporaryFolder();
    const gateway = await Running.on(folder.path);
    const other = new DatabaseSync(join(gateway.data, 'sallyport.db'));
    other.exec('BEGIN IMMEDIATE');
    assert.equal(await gateway.create('app'), 503);
    assert.equal(await gateway.storeState(), 'unavailable');
    for (let n = 0; n < 20; n++) {
      const startMs = performance.now();
      assert.equal(await gateway.create('app'), 503);
      assert.ok(await gateway.serves());
      assert.ok(performance.now() - startMs < 1000);
    }
    other.exec('ROLLBACK');
    other.close();
    await eventually(async () => (await gateway.create('app')) === 201);
    await isTold(gateway);
    await gateway.program.stop();
    await folder.remove();
  });

  test('since it is damaged: serves what it has, says so, and takes up one that is put in its place', async () => {
    const folder = await temporaryFolder();
    const first = await Running.on(folder.path);
    assert.equal(await first.create('app'), 201);
    await first.program.stop();
    const path = join(first.data, 'sallyport.db');
    const sound = readFileSync(path);
    writeFileSync(path, 'this is no database'.repeat(500));
    const gateway = await Running.on(folder.path);
    assert.ok(await gateway.serves());
    assert.deepEqual([await gateway.storeState(), await gateway.create('other')], ['damaged', 503]);
    writeFileSync(path, sound);
    await eventually(async () => (await gateway.create('other')) === 201);
    assert.equal((await gateway.api('GET', '/api/consumers/app')).status, 200);
    await isTold(gateway);
    await gateway.program.stop();
    await folder.remove();
  });

  test('since the disk is full: serves, loses nothing that was acknowledged, and goes on by itself', async (context) => {
    const folder = await temporaryFolder();
    const disk = join(folder.path, 'disk');
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=700', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      context.skip('this process may not mount a small disk');
      return await folder.remove();
    }
    const gateway = await Running.on(folder.path, disk);
    try {
      const { bavail, bsize } = statfsSync(disk);
      writeFileSync(join(disk, 'ballast'), Buffer.alloc(bavail * bsize));
      const acknowledged: string[] = [];
      for (let n = 0; n < 500; n++) {
        if ((await gateway.create(`c${n}`)) !== 201) break;
        acknowledged.push(`c${n}`);
      }
      assert.ok(acknowledged.length < 500);
      assert.equal(await gateway.storeState(), 'unavailable');
      assert.ok(await gateway.serves());
      rmSync(join(disk, 'ballast'));
      await eventually(async () => (await gateway.create('last')) === 201);
      await isTold(gateway);
      for (const name of acknowledged) {
        assert.equal((await gateway.api('GET', `/api/consumers/${name}`)).status, 200, name);
      }
      assert.equal((await gateway.api('GET', '/api/audit/verification')).json.intact, true);
    } finally {
      await gateway.program.stop();
      execFileSync('umount', [disk]);
      await folder.remove();
    }
  });
});

describe('what was acknowledged on disk', () => {
  test('is there after the gateway was killed in the middle', async () => {
    const folder = await temporaryFolder();
    const gateway = await Running.on(folder.path);
    const acknowledged: string[] = [];
    let asked = 0;
    for (let round = 0; round < 5; round++) {
      let isOver = false;
      const work = Array.from({ length: 4 }, async () => {
        while (!isOver) {
          const name = `c${asked++}`;
          if ((await gateway.create(name).catch(() => 0)) === 201) acknowledged.push(name);
        }
      });
      const before = acknowledged.length;
      await eventually(async () => acknowledged.length > before + 10 + 7 * round);
      gateway.program.signal('SIGKILL');
      isOver = true;
      await Promise.all(work);
      await gateway.killAndStart();
    }
    for (const name of acknowledged) {
      assert.equal((await gateway.api('GET', `/api/consumers/${name}`)).status, 200, name);
    }
    assert.equal((await gateway.api('GET', '/api/audit/verification')).json.intact, true);
    await gateway.program.stop();
    await folder.remove();
  });
});
