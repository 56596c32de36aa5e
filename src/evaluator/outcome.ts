import type { Flip, JudgedOutcome } from '../contract/index.ts';
import { ERRORS, PolicyRejection, type RequestError } from '../errors.ts';
import type { Evaluation, Verdict } from './evaluation.ts';

/** What a judgement comes to. `verdict` of any phase before the upstream is asked. */
export function outcomeOf(verdict: Verdict, evaluation: Evaluation): JudgedOutcome {
  const { match } = evaluation;
  const route = match.kind === 'found' ? match.route.name : '';
  if (verdict.kind === 'forward') return { ...NOBODY, kind: 'forward', status: 0, route };
  const { by: attachment } = verdict;
  const by = attachment?.id;
  const policy = attachment?.policy;
  if (verdict.kind === 'respond') {
    return { ...NOBODY, kind: 'respond', status: verdict.response.status, route, by, policy };
  }
  const { status, code, rule } = verdict.error;
  return { kind: 'reject', status, route, by, policy, code, rule };
}

/** What becomes of a request that no policy was asked about. */
export function refusedOutcome(error: RequestError | PolicyRejection): JudgedOutcome {
  const { code } = error;
  const status = error instanceof PolicyRejection ? error.status : ERRORS[code].status;
  const rule = error instanceof PolicyRejection ? error.rule : undefined;
  return { ...NOBODY, kind: 'refused', status, route: '', code, rule };
}

/** How the second judgement differs; undefined where it does not. Who let a request on is no difference. */
export function flipOf(before: JudgedOutcome, after: JudgedOutcome): Flip | undefined {
  const wasAllowed = isAllowed(before);
  if (wasAllowed !== isAllowed(after)) return wasAllowed ? 'allowed-to-denied' : 'denied-to-allowed';
  if (before.kind === 'forward' && after.kind === 'forward') {
    return before.route === after.route ? undefined : 'moved';
  }
  const isSame =
    before.kind === after.kind &&
    before.status === after.status &&
    before.code === after.code &&
    before.policy === after.policy &&
    ruleOf(before) === ruleOf(after);
  return isSame ? undefined : 'other-reason';
}

/** A ban's rule is its id, and no two bans have the same: of which kind it is, is what two judgements can agree on. */
const ruleOf = ({ code, rule }: JudgedOutcome): string | undefined =>
  code === 'address-banned' || code === 'caller-banned' ? 'ban' : rule;

/** The same outcome in words that another judgement of the request could have given as well. */
export function comparable(outcome: JudgedOutcome): JudgedOutcome {
  const rule = ruleOf(outcome);
  return rule === outcome.rule ? outcome : { ...outcome, rule };
}

const NOBODY = Object.freeze({ by: undefined, policy: undefined, code: undefined, rule: undefined });

/** A policy's own answer (a preflight's, a sign-in's) is what was asked for, unless it is an error. */
const isAllowed = ({ kind, status }: JudgedOutcome): boolean =>
  kind === 'forward' || (kind === 'respond' && status < 400);
