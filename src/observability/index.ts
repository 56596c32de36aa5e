export { EXPOSITION_TYPE, exposition } from './exposition.ts';
export { LoadMeter } from './load-meter.ts';
export { createLogger, type LoggerOptions, type LogLevel, stderrWriter } from './logger.ts';
export { MetricTotals, mergeSnapshots } from './merge.ts';
export {
  createMeter,
  type LocalMeter,
  type MeterOptions,
  type MeterSnapshot,
  type MetricSamples,
} from './meter.ts';
export { METRICS, type MetricDefinition, type MetricKind } from './metric-table.ts';
export {
  createLagProbe,
  createProcessMetrics,
  type LagProbe,
  type ProcessFacts,
  processFacts,
} from './process-metrics.ts';
export { createRecordSink, type OwnedRecordSink, type RecordSinkOptions } from './record-sink.ts';
export { REDACTED, redact, redactText } from './redact.ts';
export { createTableMetrics, type TableFacts } from './table-metrics.ts';
