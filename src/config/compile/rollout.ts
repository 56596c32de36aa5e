import type { CanaryCohort, CanaryStep, Gates, RolloutPlan } from '../../contract/index.ts';
import { formatCidr, parseCidr } from '../../lib/cidr.ts';
import { parseDuration } from '../../lib/duration.ts';
import type { Static } from '../../lib/schema.ts';
import { didYouMean } from '../../lib/suggest.ts';
import type { DocumentPath } from '../document-path.ts';
import { IssueList } from '../issues.ts';
import type { GatewayDocument } from '../schema/document.ts';
import { DEFAULT_ROLLOUT, type RolloutSchema } from '../schema/rollout.ts';
import { positiveMs } from './listener.ts';

type Config = Static<typeof RolloutSchema>;
type Step = NonNullable<Config['steps']>[number];

const WHOLE: DocumentPath = ['rollout'];

/**
 * How a revision of this document goes live; undefined where it does not say. Faults go to `issues`: a cohort that no
 * request can be in would wait for ever.
 */
export function compileRollout(document: GatewayDocument, issues: IssueList): RolloutPlan | undefined {
  const config = document.rollout;
  if (config === undefined) return undefined;
  const { replay, shadow, approvals = 0 } = config;
  const routes = new Set((document.routes ?? []).map(({ name }) => name));
  if (config.gates?.flips !== undefined && shadow === undefined) {
    const fix = 'add shadow: { for: 10m }, or leave it out';
    issues.add([...WHOLE, 'gates', 'flips'], 'is never looked at, since nothing is judged in shadow', fix);
  }
  return Object.freeze({
    replay: replay === undefined ? undefined : replayOf(replay, issues),
    approvals,
    shadow: shadow === undefined ? undefined : shadowOf(shadow, issues),
    steps: (config.steps ?? []).map((step, i) => stepOf(step, [...WHOLE, 'steps', i], routes, issues)),
    gates: gatesOf(config.gates ?? {}),
  });
}

/** The plan of a document that was found sound. */
export const rolloutOf = (document: GatewayDocument): RolloutPlan | undefined =>
  compileRollout(document, new IssueList());

function replayOf(
  { records = DEFAULT_ROLLOUT.records, maxFlips = DEFAULT_ROLLOUT.maxFlips }: NonNullable<Config['replay']>,
  issues: IssueList,
) {
  const path = [...WHOLE, 'replay', 'records'];
  return { recordsMs: longMs(records, path, issues), maxFlips: shareOf(maxFlips) };
}

function shadowOf(shadow: NonNullable<Config['shadow']>, issues: IssueList) {
  const { share = DEFAULT_ROLLOUT.shadowShare, budget = DEFAULT_ROLLOUT.shadowBudget } = shadow;
  const path = [...WHOLE, 'shadow'];
  if (shareOf(share) === 0) issues.add([...path, 'share'], 'is nobody', 'leave shadow out');
  if (shareOf(budget) === 0) issues.add([...path, 'budget'], 'is no time at all', 'leave shadow out');
  const forMs = positiveMs(shadow.for, [...path, 'for'], issues);
  return { share: shareOf(share), budget: shareOf(budget), forMs };
}

function stepOf(
  { canary, for: held }: Step,
  path: DocumentPath,
  routes: ReadonlySet<string>,
  issues: IssueList,
): CanaryStep {
  const forMs = positiveMs(held, [...path, 'for'], issues);
  const at = [...path, 'canary'];
  const config = typeof canary === 'string' ? { share: canary } : canary;
  const share = shareOf(config.share ?? DEFAULT_ROLLOUT.cohortShare);
  if (share === 0)
    issues.add(typeof canary === 'string' ? at : [...at, 'share'], 'is nobody', 'leave the step out');
  for (const [i, name] of (config.routes ?? []).entries()) {
    if (routes.has(name)) continue;
    issues.add([...at, 'routes', i], `there is no route "${name}"`, didYouMean(name, routes));
  }
  const cohort: CanaryCohort = {
    share,
    consumers: config.consumers ?? [],
    routes: config.routes ?? [],
    addresses: networksOf(config.addresses ?? [], [...at, 'addresses'], issues),
  };
  return { cohort, forMs };
}

function networksOf(texts: readonly string[], path: DocumentPath, issues: IssueList): readonly string[] {
  const networks: string[] = [];
  for (const [i, text] of texts.entries()) {
    const network = parseCidr(text);
    if ('fault' in network) issues.add([...path, i], network.fault, network.suggestion);
    else networks.push(formatCidr(network));
  }
  return networks;
}

const gatesOf = ({ denyRate, errorRate, p99, flips }: NonNullable<Config['gates']>): Gates => ({
  denyRate: denyRate === undefined ? undefined : shareOf(denyRate),
  errorRate: errorRate === undefined ? undefined : shareOf(errorRate),
  p99: p99 === undefined ? undefined : shareOf(p99),
  flips: flips === undefined ? undefined : shareOf(flips),
});

/** Records may lie further back than a timer runs. */
function longMs(text: string, path: DocumentPath, issues: IssueList): number {
  const ms = parseDuration(text) ?? 0;
  if (ms === 0) issues.add(path, 'must be longer than 0', 'leave replay out');
  return ms;
}

/** `5%` and `+20%` as numbers; the schema has seen to their form. */
const shareOf = (text: string): number => Number(text.replace(/^\+|%$/g, '')) / 100;
