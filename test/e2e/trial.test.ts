import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { CanaryCohort, Trial, TrialFigures } from '../../src/contract/index.ts';
import type { OfferedBundle } from '../../src/control/index.ts';
import { filesFrom } from '../fixtures/config.ts';
import { freePort, proxyDocument } from '../fixtures/gateway.ts';
import { eventually } from '../fixtures/process.ts';
import { ok, RawUpstream } from '../fixtures/raw-upstream.ts';
import { bundleOf, startWorkers, type Workers } from '../fixtures/worker-pool.ts';
import { everyPolicy, FILES, KEYS, type ListenerPorts } from './live-and-offline/document.ts';
import { askAll, freePorts, startUpstream } from './live-and-offline/live.ts';
import { generateRequests } from './live-and-offline/requests.ts';

const EVERYBODY: CanaryCohort = { share: 1, consumers: [], routes: [], addresses: [] };
const total = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);

const trialOf = ({ revision }: OfferedBundle, parts: Partial<Trial>): Trial => ({
  rollout: 'rollout-1',
  revision,
  shadow: undefined,
  canary: undefined,
  ...parts,
});

async function figuresOf({ pool }: Workers): Promise<TrialFigures> {
  const figures = await pool.trialFigures();
  assert.ok(figures);
  return figures;
}

describe('a trial in real worker threads', () => {
  const secrets = { ANN: 'ann-key-0123456789abcdef', BEN: 'ben-key-0123456789abcdef' };
  const consumers = Object.entries(secrets).map(([name]) => ({
    name: name.toLowerCase(),
    credentials: [{ 'api-key': { secret: `env:${name}` } }],
  }));
  let upstream: RawUpstream;
  let workers: Workers;
  let port: number;
  let active: OfferedBundle;
  let candidate: OfferedBundle;
  before(async () => {
    upstream = await RawUpstream.start({ answer: ok(), keep: false });
    port = await freePort();
    const documentOf = (acl: object) =>
      proxyDocument({
        port,
        upstream: upstream.url,
        policies: [{ 'api-key': {} }, { acl }, { 'rate-limit': { limit: 5, window: '1h', by: 'consumer' } }],
        document: { consumers },
      });
    active = await bundleOf(documentOf({ allow: [{ consumers: ['ann', 'ben'] }] }), { secrets });
    candidate = await bundleOf(documentOf({ allow: [{ consumers: ['ann'] }] }), { secrets });
    workers = await startWorkers(2);
    await workers.activation.publish(active);
  });
  after(async () => {
    await workers?.pool.stop(0);
    await upstream.stop();
  });

  /** On a connection of its own, which may meet either worker: which revision judged it, and the status. */
  async function ask(key: string): Promise<readonly [string, number]> {
    const headers = { 'x-api-key': key, connection: 'close' };
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers });
    await answer.text();
    const revision = answer.headers.get('x-policy-revision') ?? '';
    return [revision === candidate.revision ? 'candidate' : 'active', answer.status];
  }

  const askOften = async (key: string, times: number) => {
    const answers = await Promise.all(Array.from({ length: times }, () => ask(key)));
    return [...new Set(answers.map((answer) => answer.join(' ')))].sort();
  };

  it('shadow: shows what the candidate would do, and counts nothing for real', async () => {
    await workers.activation.try(candidate, trialOf(candidate, { shadow: { share: 1, budget: 1 } }));
    // The workers compile it once more before they begin.
    await eventually(async () => {
      await ask('wrong');
      return (await figuresOf(workers)).shadow.judged > 0;
    });
    assert.deepEqual(await askOften(secrets.BEN, 4), ['active 200']);
    await eventually(async () => (await figuresOf(workers)).shadow.flips.length > 0);
    await eventually(async () => total((await figuresOf(workers)).shadow.flips.map((f) => f.count)) >= 2);
    const { shadow } = await figuresOf(workers);
    const [{ flip, consumer, after: outcome }] = shadow.flips;
    assert.deepEqual(
      [shadow.flips.length, flip, consumer, outcome.policy, outcome.code],
      [1, 'allowed-to-denied', 'ben', 'acl', 'forbidden'],
    );
    // Five an hour: what is judged twice is counted once.
    assert.deepEqual(await askOften(secrets.BEN, 1), ['active 200']);
    assert.deepEqual(await askOften(secrets.BEN, 1), ['active 429']);
    assert.deepEqual(workers.logged, []);
  });

  it('canary: callers are judged by the same revision on every worker, and their use goes on', async () => {
    const canary = { ...EVERYBODY, consumers: ['ann', 'ben'] };
    await workers.activation.try(candidate, trialOf(candidate, { canary }));
    // Each worker has to meet a credential once before it knows whose it is.
    await eventually(async () => (await askOften(secrets.BEN, 8)).join() === 'candidate 403');
    assert.deepEqual(await askOften(secrets.BEN, 16), ['candidate 403']);
    const before = (await askOften(secrets.ANN, 1)).join();
    assert.match(before, /200$/);
    await eventually(async () => (await askOften(secrets.ANN, 8)).join() === 'candidate 429');
    const { canary: arm, baseline } = await figuresOf(workers);
    assert.ok(total(arm.denied) >= 16);
    assert.equal(total(arm.gatewayErrors), 0);
    assert.equal(total(baseline.denied), 0, 'whoever is not known yet is in neither arm');
  });

  it('a worker that dies comes back with it, and what it had seen is kept', async () => {
    const before = total((await figuresOf(workers)).canary.requests);
    assert.ok(workers.pool.kill(0));
    await eventually(async () => workers.pool.status()[0].state !== 'serving');
    await eventually(async () => workers.pool.status()[0].state === 'serving');
    assert.equal(workers.activation.lostTrial, undefined);
    await eventually(async () => (await askOften(secrets.BEN, 8)).join() === 'candidate 403');
    assert.ok(total((await figuresOf(workers)).canary.requests) >= before);
  });

  it('its end is everywhere within a second, whatever is being prepared', async () => {
    const other = await bundleOf(
      proxyDocument({ port, upstream: upstream.url, policies: [{ 'api-key': {} }], document: { consumers } }),
      { secrets },
    );
    const published = workers.activation.publish(other, () => Promise.reject(new Error('not approved')));
    const beganMs = performance.now();
    await workers.activation.endTrial();
    const tookMs = performance.now() - beganMs;
    assert.ok(tookMs < 1000, `${tookMs} ms`);
    await assert.rejects(published, /not approved/);
    const answers = await askOften(secrets.BEN, 16);
    assert.deepEqual(answers, ['active 429']);
    assert.deepEqual(workers.activation.serving.length, 2);
    assert.ok(total((await figuresOf(workers)).canary.requests) > 0, 'the evidence is kept');
  });

  it('that went well: the candidate becomes active as it was prepared', async () => {
    await workers.activation.try(candidate, trialOf(candidate, { canary: EVERYBODY }));
    await workers.activation.publish(candidate);
    assert.deepEqual(await askOften(secrets.BEN, 16), ['candidate 403']);
    assert.equal(workers.activation.candidate, undefined);
  });
});

describe('every policy, judged a second time by a document that says the same', () => {
  const REQUESTS = 1000;
  const seen = ({ judged, undecided, leftOut }: TrialFigures['shadow']) =>
    judged + leftOut + total(Object.values(undecided));
  let workers: Workers;
  let upstream: RawUpstream;
  let ports: ListenerPorts;
  let candidate: OfferedBundle;
  let figures: TrialFigures;
  before(async () => {
    const arrived = new Set<string>();
    upstream = await startUpstream(arrived);
    ports = await freePorts();
    const document = everyPolicy(ports, upstream.url);
    const references = { secrets: KEYS, files: filesFrom(FILES) };
    const other = {
      ...document,
      upstreams: { ...Object(document.upstreams), unused: { targets: [upstream.url] } },
    };
    candidate = await bundleOf(other, references);
    // One worker: in another order limits would refuse others.
    workers = await startWorkers(1);
    await workers.activation.publish(await bundleOf(document, references));
    await workers.activation.try(candidate, trialOf(candidate, { shadow: { share: 1, budget: 1 } }));
    const requests = generateRequests(7, REQUESTS);
    await askAll(requests.slice(0, 1), ports);
    await eventually(async () => {
      await askAll(requests.slice(0, 1), ports);
      return seen((await figuresOf(workers)).shadow) > 0;
    });
    await askAll(requests.slice(1), ports);
    await eventually(async () => seen((await figuresOf(workers)).shadow) >= REQUESTS * 0.99);
    figures = await figuresOf(workers);
  });
  after(async () => {
    await workers?.pool.stop(0);
    await upstream.stop();
  });

  it('comes to the same', () => {
    const { judged, same, flips, undecided, leftOut } = figures.shadow;
    assert.deepEqual(flips, []);
    assert.equal(same, judged);
    // A machine that is busy with other tests leaves some out, and what was not counted is not decided.
    assert.ok(judged > REQUESTS * 0.5, JSON.stringify({ judged, undecided, leftOut }));
  });

  it('also where the candidate decides and the active revision judges again', async () => {
    const shadow = { share: 1, budget: 1 };
    await workers.activation.try(candidate, trialOf(candidate, { shadow, canary: EVERYBODY }));
    const requests = generateRequests(8, 300);
    await eventually(async () => {
      await askAll(requests.slice(0, 1), ports);
      return seen((await figuresOf(workers)).shadow) > 0;
    });
    await askAll(requests.slice(1), ports);
    await eventually(async () => seen((await figuresOf(workers)).shadow) >= requests.length * 0.99);
    const after = (await figuresOf(workers)).shadow;
    assert.deepEqual(after.flips, []);
    assert.equal(after.same, after.judged);
    assert.ok(after.judged > requests.length * 0.4, JSON.stringify(after));
    // What was counted before, the second judgement has not seen; what was refused for it had not sent its body.
    const reasons = Object.keys(after.undecided).filter(
      (reason) => reason !== 'sampled' && reason !== 'body',
    );
    assert.deepEqual(reasons, []);
    assert.equal(total((await figuresOf(workers)).baseline.requests), 0);
  });
});
