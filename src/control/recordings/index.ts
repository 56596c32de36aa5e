export { type RecordingsDeps, recordingIn, startRecordings } from './open.ts';
export type { RecordingDesk } from './recording-desk.ts';
