/**
 * Every metric the process exposes, in one table. Names and units are public interface (SemVer): base units
 * (seconds, bytes), `_total` for counters, labels from bounded sets only.
 */

export type MetricKind = 'counter' | 'gauge' | 'histogram' | 'info';

export interface MetricDefinition {
  readonly name: string;
  readonly kind: MetricKind;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram, ascending, without +Inf. */
  readonly buckets?: readonly number[];
  /** How a gauge of several threads becomes one. Default `sum`. */
  readonly merge?: 'sum' | 'max' | 'min';
}

const SECONDS: readonly number[] = Object.freeze([
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]);

const counter = (name: string, help: string, labels: readonly string[] = []): MetricDefinition =>
  Object.freeze({ name, kind: 'counter', help, labels });

const gauge = (
  name: string,
  help: string,
  labels: readonly string[] = [],
  merge: 'sum' | 'max' | 'min' = 'sum',
): MetricDefinition => Object.freeze({ name, kind: 'gauge', help, labels, merge });

const histogram = (name: string, help: string, labels: readonly string[]): MetricDefinition =>
  Object.freeze({ name, kind: 'histogram', help, labels, buckets: SECONDS });

/** Set to 1 once per thread; a new label set replaces the one before, so reloads leave nothing behind. */
const info = (name: string, help: string, labels: readonly string[]): MetricDefinition =>
  Object.freeze({ name, kind: 'info', help, labels, merge: 'max' });

/** Counts label sets over the cap; named here since the meter itself adds to it. */
export const SERIES_REFUSED = 'sallyport_metric_series_refused_total';

export const METRICS: readonly MetricDefinition[] = Object.freeze([
  counter('sallyport_http_requests_total', 'Requests answered, by who answered them.', [
    'listener',
    'route',
    'status',
    'source',
  ]),
  histogram(
    'sallyport_http_request_duration_seconds',
    'First byte of a request to last byte of its answer.',
    ['listener', 'route'],
  ),
  histogram('sallyport_upstream_duration_seconds', 'Request sent to the head of the upstream answer.', [
    'upstream',
  ]),
  counter('sallyport_upstream_requests_total', 'Requests sent to upstream targets.', [
    'upstream',
    'target',
    'outcome',
  ]),
  counter(
    'sallyport_limit_notices_total',
    'What limiters did beside deciding, and somebody may want to know.',
    ['attachment', 'notice'],
  ),
  gauge('sallyport_store_up', 'Whether the store can be used: 1, or 0 while it is lost or damaged.', []),
  gauge('sallyport_nodes', 'Nodes that have one store, as this one sees them.', ['state']),
  gauge(
    'sallyport_state_up',
    'Whether the shared store of counters answers every worker: 1, or 0. Absent without one.',
    [],
    'min',
  ),
  counter(
    'sallyport_state_errors_total',
    'Questions that the shared store of counters did not answer, and connections to it that were lost.',
    ['kind'],
  ),
  gauge('sallyport_counter_keys_max', 'Keys that a table of counters in memory has places for.', ['table']),
  counter(
    'sallyport_counter_refused_for_space_total',
    'Requests refused since the table of counters had no place left for their key.',
    ['table'],
  ),
  counter('sallyport_policy_decisions_total', 'Decisions of attachments.', [
    'attachment',
    'policy',
    'mode',
    'decision',
  ]),
  counter(
    'sallyport_requests_refused_total',
    'Requests not understood, too large, or not received in time.',
    ['listener', 'reason'],
  ),
  counter(
    'sallyport_requests_shed_total',
    'Requests refused since there were too many, by the priority of their route.',
    ['listener', 'priority'],
  ),
  counter(
    'sallyport_trial_requests_total',
    'Requests that tell a candidate and the active revision apart, by which of them judged.',
    ['arm'],
  ),
  counter(
    'sallyport_shadow_judgements_total',
    'Requests judged once more by another revision, and those left out since that would cost too much.',
    ['result'],
  ),
  counter('sallyport_shadow_seconds_total', 'Time that it took to judge requests once more.'),
  gauge('sallyport_connections', 'Open client connections.', ['listener']),
  counter('sallyport_connections_refused_total', 'Client connections refused.', ['listener', 'reason']),
  counter('sallyport_records_written_total', 'Access records written.'),
  counter('sallyport_records_dropped_total', 'Access records dropped since their sink was slow or failed.'),
  counter('sallyport_recording_kept_total', 'Requests recorded.'),
  counter('sallyport_recording_sampled_out_total', 'Requests that recorded ones stand for.'),
  counter(
    'sallyport_recording_withheld_bodies_total',
    'Bodies that were not recorded since they may hold a secret.',
  ),
  counter('sallyport_recording_dropped_total', 'Requests that were to be recorded, and could not be.'),
  gauge('sallyport_recording_bytes', 'Size of the recording on disk.'),
  info('sallyport_config_info', 'Revision that is served; the value is always 1.', ['revision']),
  counter('sallyport_config_reloads_total', 'Documents offered for serving.', ['result']),
  counter('sallyport_rollouts_total', 'Rollouts that ended, by how.', ['result']),
  gauge('sallyport_rollout_open', '1 while a rollout is under way.'),
  gauge('sallyport_list_entries', 'Networks of an address list, those in the document among them.', ['list']),
  gauge('sallyport_list_age_seconds', 'Time since the source of a list was last read without a fault.', [
    'list',
  ]),
  gauge('sallyport_list_held', '1 while a refresh of a list waits for a person.', ['list']),
  counter('sallyport_list_refreshes_total', 'Refreshes of address lists.', ['list', 'outcome']),
  gauge(
    'sallyport_quotas_not_kept',
    'Quotas whose latest usage is not in the store yet, or cannot be put there.',
  ),
  gauge('sallyport_bans', 'Networks that are banned.'),
  gauge('sallyport_imposed_bans', 'Bans that policies imposed and that stand, those in shadow among them.'),
  counter(
    'sallyport_imposed_bans_displaced_total',
    'Bans of policies that ended early, since there was no room for all.',
  ),
  gauge('sallyport_workers', 'Worker threads that serve.'),
  counter('sallyport_worker_restarts_total', 'Worker threads started in place of one that ended.'),
  gauge(
    'sallyport_event_loop_lag_seconds',
    'Longest delay of a timer since the last scrape, worst thread.',
    [],
    'max',
  ),
  counter(SERIES_REFUSED, 'Label sets over the cap of a metric, counted there as "other".', ['metric']),
  counter('process_cpu_seconds_total', 'User and system CPU time of the process.'),
  gauge('process_start_time_seconds', 'Start of the process since the epoch.'),
  gauge('process_resident_memory_bytes', 'Resident memory of the process.'),
  gauge('process_open_fds', 'Open file descriptors.'),
  gauge('process_max_fds', 'Limit of open file descriptors.'),
]);
