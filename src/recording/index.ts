/**
 * What workers keep of the requests they serve: written in pieces that are compressed and encrypted, and read again by
 * replay and explain. Nothing in it ever was plain text on a disk, and no credential is in it.
 */
export type {
  Recording,
  RecordingFaults,
  RecordingKey,
  RecordingKeys,
  RecordingRange,
  RecordingSummary,
} from './recording.ts';
