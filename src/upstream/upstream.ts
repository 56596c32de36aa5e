import type { UpstreamPlan } from '../contract/index.ts';
import { Target, type TargetDeps } from './target.ts';

/** A named group of backends on one worker: who gets the next request. */
export class Upstream {
  readonly plan: UpstreamPlan;
  readonly targets: readonly Target[];

  constructor(plan: UpstreamPlan, deps: TargetDeps) {
    this.plan = plan;
    this.targets = plan.targets.map((target) => new Target(target, plan, deps));
  }

  /**
   * The target for the next request, `except` those already tried. Resting targets are passed over unless all
   * rest: then the tried-least is better than none. Undefined when every target was tried.
   */
  pick(except: readonly Target[]): Target | undefined {
    if (this.targets.length === 1) return except.length === 0 ? this.targets[0] : undefined;
    let open = this.targets.filter((target) => target.available && !except.includes(target));
    if (open.length === 0) open = this.targets.filter((target) => !except.includes(target));
    if (open.length === 0) return undefined;
    return this.plan.balance === 'least-requests' ? leastRequests(open) : smoothRoundRobin(open);
  }

  close(): void {
    for (const target of this.targets) target.close();
  }
}

/** Smooth weighted round-robin: spreads a heavy target's turns instead of bunching them. */
function smoothRoundRobin(targets: readonly Target[]): Target {
  let total = 0;
  let best = targets[0];
  for (const target of targets) {
    target.currentWeight += target.plan.weight;
    total += target.plan.weight;
    if (target.currentWeight > best.currentWeight) best = target;
  }
  best.currentWeight -= total;
  return best;
}

/** Fewest requests under way per weight; ties go round by weight. */
function leastRequests(targets: readonly Target[]): Target {
  let least = Number.POSITIVE_INFINITY;
  for (const target of targets) least = Math.min(least, target.active / target.plan.weight);
  return smoothRoundRobin(targets.filter((target) => target.active / target.plan.weight === least));
}
