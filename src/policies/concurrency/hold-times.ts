import type { Resource, ResourceRequest } from '../../contract/index.ts';

/** How much the latest counts: an average of about the last twenty. */
const WEIGHT = 0.1;
const LEAST_SECONDS = 1;
const MOST_SECONDS = 60;

/** How long requests of one attachment held their places lately, in this worker. Outlives reloads. */
export class HoldTimes implements Resource {
  #averageMs: number | undefined = undefined;

  note(heldMs: number): void {
    const average = this.#averageMs ?? heldMs;
    this.#averageMs = average + (Math.max(0, heldMs) - average) * WEIGHT;
  }

  /**
   * When it is worth to try again, in whole seconds: `limit` places that are held for so long become free one after the
   * other, for those that wait ahead and then for who asks. An estimate, between 1 and 60.
   */
  retrySeconds(limit: number, ahead: number): number {
    const ms = ((this.#averageMs ?? 0) * (ahead + 1)) / limit;
    return Math.min(MOST_SECONDS, Math.max(LEAST_SECONDS, Math.ceil(ms / 1000)));
  }

  close(): void {}
}

/** Those of an attachment. */
export const holdTimesOf = (attachment: string): ResourceRequest<HoldTimes> => ({
  key: `hold times ${attachment}`,
  is: (resource: Resource): resource is HoldTimes => resource instanceof HoldTimes,
  open: () => new HoldTimes(),
});
