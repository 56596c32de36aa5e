/** Loaded once the gateway serves: what records requests is no part of what it needs to start. */
export { RecordingWitness } from './witness.ts';
