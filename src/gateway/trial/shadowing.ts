import type { Meter } from '../../contract/index.ts';
import type { DataPlaneServices } from '../services.ts';
import type { Serving } from '../serving.ts';
import type { SecondJudges, Shadow, ShadowMeters, ShadowWorld } from '../shadow/index.ts';
import type { CurrentTrial } from './current-trial.ts';

/** Has requests judged a second time while a trial says so. */
export class Shadowing {
  readonly #services: DataPlaneServices;
  readonly #world: ShadowWorld | undefined;
  readonly #meters: ShadowMeters;
  #current: CurrentTrial | undefined = undefined;
  #judges:
    | { readonly candidate: Serving; readonly rollout: string; readonly judges: SecondJudges }
    | undefined = undefined;
  #shadow: Shadow | undefined = undefined;

  /** Without a world nothing is judged a second time. */
  constructor(services: DataPlaneServices, world: ShadowWorld | undefined) {
    this.#services = services;
    this.#world = world;
    this.#meters = metersOf(services.meter);
  }

  /** Does from now on as this trial says. What was compiled for another cohort of it stays. */
  follow(current: CurrentTrial, active: Serving): void {
    if (this.#current === current) return;
    this.#current = current;
    this.#leave();
    if (current.trial.shadow === undefined || this.#world === undefined) return this.#dismiss();
    if (this.#judges?.candidate !== current.candidate || this.#judges.rollout !== current.trial.rollout)
      this.#dismiss();
    this.#start(current, active, this.#world).catch((cause: unknown) => this.#onDefect(cause));
  }

  end(): void {
    this.#current = undefined;
    this.#leave();
    this.#dismiss();
  }

  async #start(current: CurrentTrial, active: Serving, world: ShadowWorld): Promise<void> {
    const { SecondJudges, Shadow } = await import('../shadow/index.ts');
    const { rollout, revision, shadow: share, canary } = current.trial;
    // It has ended meanwhile, or is another.
    if (this.#current !== current || share === undefined) return;
    const { candidate } = current;
    this.#judges ??= { candidate, rollout, judges: new SecondJudges(world, this.#services, rollout) };
    const { judges } = this.#judges;
    const { now, random, witnesses, evaluation } = this.#services;
    const seed = Number.parseInt(random.hex(4), 16);
    const onDefect = (cause: unknown): void => this.#onDefect(cause);
    const meters = this.#meters;
    const { load } = evaluation;
    this.#shadow = new Shadow({ share, active, candidate, judges, meters, load, seed, now, onDefect });
    current.counts.shadow = this.#shadow.tally;
    witnesses.add(this.#shadow);
    await judges.want(revision);
    if (canary !== undefined) await judges.want(active.revision);
  }

  #leave(): void {
    if (this.#shadow === undefined) return;
    this.#services.witnesses.remove(this.#shadow);
    this.#shadow.stop();
    this.#shadow = undefined;
  }

  #dismiss(): void {
    this.#judges?.judges.close();
    this.#judges = undefined;
  }

  #onDefect(cause: unknown): void {
    const message = cause instanceof Error ? cause.message : String(cause);
    this.#services.log.error('shadow-failed', { cause: message });
  }
}

function metersOf(meter: Meter): ShadowMeters {
  const counterOf = (result: string) => meter.counter('sallyport_shadow_judgements_total', { result });
  return {
    same: counterOf('same'),
    flip: counterOf('flip'),
    undecided: counterOf('undecided'),
    leftOut: counterOf('left-out'),
    seconds: meter.counter('sallyport_shadow_seconds_total'),
  };
}
