import { ConfigError } from '../../errors.ts';
import type { Rollout, RolloutOrigin } from '../../lifecycle/index.ts';
import { StoreError } from '../../store/index.ts';
import {
  type Diversion,
  isFromDisk,
  type PublishOrigin,
  type PublishRequest,
  type PublishResult,
} from '../publisher.ts';
import { differsInCertificates, governingPlan } from './governing-plan.ts';
import type { RolloutBundle, RolloutDeps } from './ports.ts';
import type { RolloutOrder, RolloutRunner } from './runner.ts';

export interface DiversionDeps<B extends RolloutBundle>
  extends Pick<RolloutDeps<B>, 'activation' | 'clock' | 'store'> {
  readonly runner: Pick<RolloutRunner<B>, 'begin' | 'dispatch' | 'open'>;
  /** Files of the certificates of a document in JSON, by their names in a bundle. */
  readonly certificatesOf: (json: string) => ReadonlySet<string>;
}

/** Decides which offers go the way of a rollout, which go live at once, and which have to wait. */
export class RolloutDiversion<B extends RolloutBundle> implements Diversion<B> {
  readonly #deps: DiversionDeps<B>;

  constructor(deps: DiversionDeps<B>) {
    this.#deps = deps;
  }

  /** Of two publishers one wins, and the other is told. What lies on disk is read first: it may be nothing new. */
  refuses({ origin, isRenewal }: PublishRequest<B>): PublishResult | undefined {
    const { open } = this.#deps.runner;
    return open === undefined || isFromDisk(origin) || isRenewal === true ? undefined : busyWith(open);
  }

  async take(request: PublishRequest<B>, bundle: B): Promise<PublishResult | undefined> {
    const { active } = this.#deps.activation;
    if (active === undefined) return undefined;
    const { open } = this.#deps.runner;
    // New secrets or certificates are no new rules: they go to what is live at once, and to what is tried with it.
    if (this.#isSameButForSecrets(active, bundle)) {
      if (open !== undefined && request.isRenewal !== true) await this.#supersede(open);
      return undefined;
    }
    if (open !== undefined) {
      if (open.revision === bundle.revision) return onItsWay(open);
      if (request.isRenewal === true || !(await this.#supersede(open))) return busyWith(open);
    }
    const plan = governingPlan(bundle, active);
    if (plan === undefined) return undefined;
    const { actor, reason = '', origin } = request;
    return await this.#begin(bundle, {
      origin: originOf(origin),
      actor,
      reason,
      plan,
      base: active.revision,
    });
  }

  #isSameButForSecrets(active: B, bundle: B): boolean {
    if (active.revision === bundle.revision) return true;
    return (
      active.documentHash === bundle.documentHash &&
      differsInCertificates(active, bundle, this.#deps.certificatesOf(bundle.json))
    );
  }

  /** What came from disk gives way to what lies there now, and to nothing else. */
  async #supersede(open: Rollout): Promise<boolean> {
    if (open.origin === 'api') return false;
    const at = this.#deps.clock.now();
    const reason = 'the document on disk has changed again';
    return typeof (await this.#deps.runner.dispatch({ kind: 'superseded', at, reason })) === 'object';
  }

  async #begin(bundle: B, order: RolloutOrder): Promise<PublishResult> {
    try {
      return onItsWay(await this.#deps.runner.begin(bundle, order));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const other = error.code === 'conflict' ? await this.#deps.store()?.rollouts.open() : undefined;
      if (other !== undefined) return { outcome: 'busy', revision: other.revision, rollout: other.id };
      const fix = 'see the log for what is wrong with it; "sallyport rollback" works without';
      throw ConfigError.at('rollout', `cannot begin: ${error.message}`, fix);
    }
  }
}

const busyWith = ({ id, revision }: Rollout): PublishResult => ({ outcome: 'busy', revision, rollout: id });
const onItsWay = ({ id, revision }: Rollout): PublishResult => ({
  outcome: 'rollout',
  revision,
  rollout: id,
});

/** A document that was renewed and is not the one on disk stays what it is, once it is live. */
const originOf = (origin: PublishOrigin): RolloutOrigin =>
  origin === 'file' || origin === 'signal' ? origin : 'api';
