import type { Clock, Gates, Logger, Meter, RolloutPlan, TrialFigures } from '../../contract/index.ts';
import type { Activatable, Activation, Finding, GateVerdict, ReplayEvidence } from '../../lifecycle/index.ts';
import type { Store } from '../../store/index.ts';
import type { StoredTexts } from '../document-sources.ts';
import type { PublishRequest, PublishResult } from '../publisher.ts';
import type { KeptBundle } from '../revision-record.ts';

/** What goes its way: plain data that workers compile from, with what is kept of it. */
export interface RolloutBundle extends Activatable, KeptBundle {
  /** The document as JSON. */
  readonly json: string;
  readonly rollout: RolloutPlan | undefined;
  /** What the lint has to say of it; undefined where it was not asked. */
  readonly findings?: readonly Finding[];
}

/** How far a replay has come. */
export interface ReplayProgress {
  readonly records: number;
  /** Time of the last record, in milliseconds since the epoch. */
  readonly atMs: number;
}

/** What is judged again, by which revision, and which it is compared with. */
export interface ReplayOrder<B> {
  readonly candidate: B;
  readonly active: B;
  /** From when on, in milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ReplayProgress) => void;
}

/** Judges what was recorded by two revisions, beside the traffic. Rejects where it cannot, and when it is told to stop. */
export type Replayer<B> = (order: ReplayOrder<B>) => Promise<ReplayEvidence>;

/** Watches the figures of one step. */
export interface StepWatch {
  observe(figures: TrialFigures): void;
  /** `decides`: whether requests are decided by the candidate. */
  judge(decides: boolean): GateVerdict;
}

export interface RolloutDeps<B extends RolloutBundle> {
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
  /** Undefined while there is no usable store. */
  readonly store: () => Store | undefined;
  readonly activation: Pick<Activation<B>, 'active' | 'candidate' | 'try' | 'endTrial' | 'lostTrial'>;
  /** Brings a bundle into service in its turn (`Publisher.publish`). */
  readonly publish: (request: PublishRequest<B>) => Promise<PublishResult>;
  /** Checks what is kept of a revision anew: secrets are not. Throws ConfigError. */
  readonly recompile: (texts: StoredTexts) => Promise<B>;
  /** What the trial under way has shown; undefined before the first. */
  readonly figures: () => Promise<TrialFigures | undefined>;
  readonly replay: Replayer<B>;
  readonly watch: (gates: Gates) => StepWatch;
  /** Runs `work` every `everyMs` until what it gives is called. */
  readonly repeat: (work: () => void, everyMs: number) => () => void;
  /** New and not to be guessed. */
  readonly newId: () => string;
  /** What writes carry of who drives, among several nodes; undefined: anybody may. */
  readonly fence?: () => number | undefined;
  /** Told when a rollout has begun or ended, and when what goes its way was compiled anew. */
  readonly onChange: () => void;
}
