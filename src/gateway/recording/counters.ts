import type { Counter, Meter } from '../../contract/index.ts';

/** What a worker counts of its recording. */
export interface RecordingCounters {
  readonly kept: Counter;
  readonly sampledOut: Counter;
  readonly withheldBodies: Counter;
  readonly dropped: Counter;
}

/** They are told from the start on, as 0 where nothing is recorded. */
export const recordingCounters = (meter: Meter): RecordingCounters => ({
  kept: meter.counter('sallyport_recording_kept_total'),
  sampledOut: meter.counter('sallyport_recording_sampled_out_total'),
  withheldBodies: meter.counter('sallyport_recording_withheld_bodies_total'),
  dropped: meter.counter('sallyport_recording_dropped_total'),
});
