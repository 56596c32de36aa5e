import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bundleDeps, documentWith, issuesOf, type Members, parsed } from '../../../test/fixtures/config.ts';
import { createBundle } from '../bundle.ts';
import { rolloutOf } from './rollout.ts';

const deps = bundleDeps();

/** The plan of a document with this `rollout`; throws ConfigError. */
async function planOf(rollout: unknown) {
  const checked = await createBundle(parsed(documentWith({ rollout })), deps);
  await checked.snapshot.dispose();
  if (!deps.catalog.isDocument(checked.document)) throw new Error('it was found sound');
  return rolloutOf(checked.document);
}

const step = (canary: unknown, more: Members = {}) => ({ steps: [{ canary, for: '10m', ...more }] });

describe('a rollout', () => {
  const faults: readonly [name: string, rollout: unknown, path: string][] = [
    ['with an unknown key', { stages: [] }, 'rollout.stages'],
    ['with a share over all', step('101%'), 'rollout.steps[0].canary'],
    ['with a share of nobody', step('0%'), 'rollout.steps[0].canary'],
    ['with a cohort of nobody', step({ share: '0%' }), 'rollout.steps[0].canary.share'],
    ['with a cohort of no kind', step({}), 'rollout.steps[0].canary'],
    ['with a bare number', step(5), 'rollout.steps[0].canary'],
    ['with no time', { steps: [{ canary: '5%' }] }, 'rollout.steps[0]'],
    ['with no time at all', step('5%', { for: '0s' }), 'rollout.steps[0].for'],
    ['with more time than a timer has', step('5%', { for: '30d' }), 'rollout.steps[0].for'],
    ['with a route that is not there', step({ routes: ['al'] }), 'rollout.steps[0].canary.routes[0]'],
    ['with no address', step({ addresses: ['10.0.0.0/99'] }), 'rollout.steps[0].canary.addresses[0]'],
    ['with an increase without its sign', { gates: { denyRate: '20%' } }, 'rollout.gates.denyRate'],
    ['with a decrease', { gates: { p99: '-20%' } }, 'rollout.gates.p99'],
    ['with flips that nothing looks at', { gates: { flips: '1%' } }, 'rollout.gates.flips'],
    ['with an increase of flips', { shadow: { for: '1m' }, gates: { flips: '+1%' } }, 'rollout.gates.flips'],
    ['with a shadow of nobody', { shadow: { for: '1m', share: '0%' } }, 'rollout.shadow.share'],
    ['with a shadow that may cost nothing', { shadow: { for: '1m', budget: '0%' } }, 'rollout.shadow.budget'],
    ['with records of no time', { replay: { records: '0s' } }, 'rollout.replay.records'],
    ['with half an approval', { approvals: 0.5 }, 'rollout.approvals'],
  ];
  for (const [name, rollout, path] of faults) {
    it(`${name} is refused at its place`, async () => {
      const issues = await issuesOf(() => planOf(rollout));
      assert.deepEqual(
        issues.map((issue) => issue.path),
        [path],
      );
    });
  }

  it('suggests the route that was probably meant', async () => {
    const [issue] = await issuesOf(() => planOf(step({ routes: ['al'] })));
    assert.match(issue.suggestion ?? '', /"all"/);
  });

  it('is none where the document says nothing of it', async () => {
    assert.equal(await planOf(undefined), undefined);
  });

  it('says in numbers what was written in words', async () => {
    const plan = await planOf({
      replay: { records: '30d', maxFlips: '0.1%' },
      approvals: 1,
      shadow: { for: '10m', share: '25%' },
      steps: [
        { canary: '5%', for: '10m' },
        { canary: { consumers: ['a'], routes: ['all'], addresses: ['10.0.0.0/8'], share: '50%' }, for: '1h' },
      ],
      gates: { denyRate: '+20%', errorRate: '+1%', p99: '+25%', flips: '0.1%' },
    });
    assert.deepEqual(plan, {
      replay: { recordsMs: 30 * 86_400_000, maxFlips: 0.001 },
      approvals: 1,
      shadow: { forMs: 600_000, share: 0.25, budget: 0.1 },
      steps: [
        { cohort: { share: 0.05, consumers: [], routes: [], addresses: [] }, forMs: 600_000 },
        {
          cohort: { share: 0.5, consumers: ['a'], routes: ['all'], addresses: ['10.0.0.0/8'] },
          forMs: 3_600_000,
        },
      ],
      gates: { denyRate: 0.2, errorRate: 0.01, p99: 0.25, flips: 0.001 },
    });
  });

  it('has defaults', async () => {
    assert.deepEqual(
      await planOf({
        replay: {},
        shadow: { for: '1m' },
        steps: [{ canary: { routes: ['all'] }, for: '1m' }],
      }),
      {
        replay: { recordsMs: 86_400_000, maxFlips: 0 },
        approvals: 0,
        shadow: { forMs: 60_000, share: 0.1, budget: 0.1 },
        steps: [{ cohort: { share: 1, consumers: [], routes: ['all'], addresses: [] }, forMs: 60_000 }],
        gates: { denyRate: undefined, errorRate: undefined, p99: undefined, flips: undefined },
      },
    );
  });
});
