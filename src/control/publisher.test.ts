import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError } from '../errors.ts';
import { Activation, type WorkerPort } from '../lifecycle/index.ts';
import { createMeter } from '../observability/index.ts';
import { Publisher, type PublisherDeps, type PublishResult } from './publisher.ts';

interface Bundle {
  readonly revision: string;
  readonly files: string;
}

const bundle = (revision: string, files = ''): Bundle => ({ revision, files });

const make = async (more: Partial<PublisherDeps<Bundle>> = {}) => {
  const log: string[] = [];
  const port: WorkerPort<Bundle> = {
    id: 1,
    prepare: async (b) => void log.push(`prepare ${b.revision}${b.files}`),
    activate: async (r) => void log.push(`activate ${r}`),
    discard: async (r) => void log.push(`discard ${r}`),
    setTrial: async ({ revision }) => void log.push(`try ${revision}`),
    endTrial: async () => void log.push('end trial'),
    retire: () => {},
  };
  const activation = new Activation<Bundle>();
  await activation.admit(port);
  const meter = createMeter();
  const remembered: PublishResult[] = [];
  const publisher = new Publisher<Bundle>({
    activation,
    clock: { now: () => 1000, monotonic: () => 0 },
    log: { info() {}, warn() {}, error() {} },
    meter,
    isSame: (a, b) => a.revision === b.revision && a.files === b.files,
    remember: async (_request, _bundle, result) => void remembered.push(result),
    ...more,
  });
  const offer = (load: () => Promise<Bundle>) => publisher.publish({ origin: 'api', actor: 'test', load });
  const reloads = () =>
    meter.snapshot().find((m) => m.name === 'sallyport_config_reloads_total')?.labels ?? [];
  return { publisher, offer, log, remembered, reloads, activation };
};

const refusing = async (): Promise<never> => {
  throw ConfigError.at('routes[0].upstream', 'there is no upstream "ordrs"');
};

describe('publisher', () => {
  it('activates, remembers and counts', async () => {
    const { publisher, offer, log, remembered, reloads } = await make();
    assert.deepEqual(await offer(async () => bundle('r1')), { outcome: 'activated', revision: 'r1' });
    assert.deepEqual(log, ['prepare r1', 'activate r1']);
    assert.equal(remembered.length, 1);
    assert.deepEqual(reloads(), ['activated']);
    assert.equal(publisher.activatedAtMs, 1000);
  });

  it('refuses a document that cannot be read or checked, with the reason, and serves the old one', async () => {
    const { publisher, offer, remembered, log } = await make();
    const result = await offer(refusing);
    assert.equal(result.outcome, 'refused');
    assert.equal(publisher.refusal?.issues[0].path, 'routes[0].upstream');
    assert.equal(remembered[0].outcome, 'refused');
    assert.deepEqual(log, []);
  });

  it('refuses what a worker refuses, with its issues', async () => {
    const { offer, activation } = await make();
    const refusingPort = {
      id: 2,
      prepare: refusing,
      activate: async () => {},
      discard: async () => {},
      setTrial: async () => {},
      endTrial: async () => {},
      retire() {},
    };
    await activation.admit(refusingPort);
    const result = await offer(async () => bundle('r1'));
    assert.ok(result.outcome === 'refused');
    assert.equal(result.issues[0].path, 'routes[0].upstream');
    assert.equal(activation.active, undefined);
  });

  it('forgets the refusal once a document is taken', async () => {
    const { publisher, offer } = await make();
    await offer(refusing);
    assert.notEqual(publisher.refusal, undefined);
    await offer(async () => bundle('r1'));
    assert.equal(publisher.refusal, undefined);
  });

  it('does nothing when another revision than the expected one is active', async () => {
    const { publisher, offer, log, remembered } = await make();
    await offer(async () => bundle('r1'));
    const result = await publisher.publish({
      origin: 'api',
      actor: 'test',
      expectedRevision: 'r0',
      load: async () => bundle('r2'),
    });
    assert.deepEqual(result, { outcome: 'stale', revision: 'r1' });
    assert.deepEqual(log, ['prepare r1', 'activate r1']);
    assert.equal(remembered.length, 1);
  });

  it('bothers no worker with what it already serves', async () => {
    const { offer, log } = await make();
    await offer(async () => bundle('r1'));
    assert.equal((await offer(async () => bundle('r1'))).outcome, 'unchanged');
    assert.deepEqual(log, ['prepare r1', 'activate r1']);
  });

  it('takes the same document again when a file it names has changed', async () => {
    const { offer, log } = await make();
    await offer(async () => bundle('r1'));
    assert.equal((await offer(async () => bundle('r1', '+new key'))).outcome, 'activated');
    assert.deepEqual(log.slice(2), ['prepare r1+new key', 'activate r1']);
  });

  it('reads a document only when its turn has come', async () => {
    const { offer } = await make();
    let content = 'old';
    const first = offer(async () => bundle('r1'));
    const second = offer(async () => bundle(content));
    content = 'new';
    await first;
    assert.deepEqual(await second, { outcome: 'activated', revision: 'new' });
  });

  it('stays activated when it cannot be recorded', async () => {
    const { offer } = await make({ remember: () => Promise.reject(new Error('disk full')) });
    assert.equal((await offer(async () => bundle('r1'))).outcome, 'activated');
  });

  describe('with offers that go another way', () => {
    const onItsWay: PublishResult = { outcome: 'rollout', revision: 'r2', rollout: 'x' };
    const busy: PublishResult = { outcome: 'busy', revision: 'r2', rollout: 'x' };

    it('reads nothing of one that has to wait', async () => {
      const diversion = { refuses: () => busy, take: async () => undefined };
      const { offer, log, remembered } = await make({ diversion: () => diversion });
      assert.deepEqual(await offer(() => assert.fail('it was read')), busy);
      assert.deepEqual([log, remembered], [[], []]);
    });

    it('activates none that is taken, and keeps where the one in service came from', async () => {
      const diversion = {
        refuses: () => undefined,
        take: async (_: unknown, { revision }: Bundle) => (revision === 'r2' ? onItsWay : undefined),
      };
      const { publisher, offer, log, remembered } = await make({ diversion: () => diversion });
      await offer(async () => bundle('r1'));
      await offer(refusing);
      const ask = { actor: 'test', load: async () => bundle('r2') };
      assert.deepEqual(await publisher.publish({ ...ask, origin: 'file' }), onItsWay);
      assert.deepEqual(log, ['prepare r1', 'activate r1']);
      assert.deepEqual([publisher.takenFrom, publisher.refusal], ['api', undefined]);
      assert.deepEqual(remembered.at(-1), onItsWay);
      const decided = await publisher.publish({ ...ask, origin: 'file', isDecided: true });
      assert.equal(decided.outcome, 'activated');
      assert.equal(publisher.takenFrom, 'file');
    });

    it('refuses what cannot be taken, with the reason', async () => {
      const diversion = { refuses: () => undefined, take: refusing };
      const { offer, log } = await make({ diversion: () => diversion });
      assert.equal((await offer(async () => bundle('r1'))).outcome, 'refused');
      assert.deepEqual(log, []);
    });
  });
});
