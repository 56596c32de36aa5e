/**
 * What workers keep of the requests they serve: written in pieces that are compressed and encrypted, and read again by
 * replay and explain. Nothing of it ever is plain text on a disk, and no credential is in it.
 */
export type { RecordingPlace } from './frame-file.ts';
export { RECORDING_PURPOSE } from './keys.ts';
export { openRecording } from './open-recording.ts';
export { recordLine, type Unweighted } from './record-line.ts';
export { Recorder, type RecorderBounds, type RecorderDeps, type Stream } from './recorder.ts';
export type {
  Recording,
  RecordingKey,
  RecordingKeys,
  RecordingSummary,
} from './recording.ts';
export { bodyHoldsSecret } from './redaction/body-secrets.ts';
export { Redaction, type Unredacted } from './redaction/redaction.ts';
export { type Pruned, pruneRecording } from './retention.ts';
