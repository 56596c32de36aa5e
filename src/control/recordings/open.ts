import { join } from 'node:path';
import { recordingOf } from '../../config/index.ts';
import { openRecording, RECORDING_PURPOSE, type Recording } from '../../recording/index.ts';
import { type MasterKeySource, openMasterKeys, SealError } from '../callers/master-keys.ts';
import type { OfferedBundle } from '../offered-bundle.ts';
import type { WorkerPool } from '../workers.ts';
import { RecordingDesk, type RecordingDeskDeps } from './recording-desk.ts';

/** Folder of recordings in a data folder. */
const FOLDER = 'recordings';

export interface RecordingsDeps extends Omit<RecordingDeskDeps, 'dir' | 'flush' | 'keys' | 'retention'> {
  readonly masterKeys: MasterKeySource;
  readonly activation: { readonly active: Pick<OfferedBundle, 'json' | 'revision'> | undefined };
  /** Who record. */
  readonly workers: Pick<WorkerPool<OfferedBundle>, 'flushRecording' | 'recordTo'>;
}

/**
 * Has the workers record, and gives who looks after what they do. Without a master key nothing is recorded, which is
 * told in the log.
 */
export async function startRecordings(deps: RecordingsDeps): Promise<RecordingDesk> {
  const { masterKeys, activation, workers, log } = deps;
  const dir = join(masterKeys.dataDir, FOLDER);
  const keys = derivedKeys(masterKeys);
  if (keys instanceof SealError) log.error('recording-unavailable', { error: keys });
  else await workers.recordTo({ dir, key: keys[0] });
  const known = keys instanceof SealError ? [] : keys;
  const desk = new RecordingDesk({
    ...deps,
    dir,
    keys: new Map(known.map(({ id, key }) => [id, key])),
    retention: retentionOf(activation),
    flush: () => workers.flushRecording(),
  });
  desk.start();
  return desk;
}

/** The recording of a data folder, for who reads it without a running gateway. @throws SealError */
export function recordingIn(masterKeys: MasterKeySource): Recording {
  const keys = openMasterKeys(masterKeys).derived(RECORDING_PURPOSE);
  return openRecording(join(masterKeys.dataDir, FOLDER), new Map(keys.map(({ id, key }) => [id, key])));
}

function derivedKeys(source: MasterKeySource) {
  try {
    return openMasterKeys(source).derived(RECORDING_PURPOSE);
  } catch (error) {
    if (error instanceof SealError) return error;
    throw error;
  }
}

/** Before any document said. */
const DEFAULT = Object.freeze({ keepMs: 86_400_000, maxBytes: 256_000_000 });

/** What the document in service says, or said while it still had something recorded. */
function retentionOf(activation: RecordingsDeps['activation']): RecordingDeskDeps['retention'] {
  let revision: string | undefined;
  let retention: ReturnType<RecordingDeskDeps['retention']> = DEFAULT;
  return () => {
    const bundle = activation.active;
    if (bundle === undefined || bundle.revision === revision) return retention;
    revision = bundle.revision;
    retention = recordingOf(JSON.parse(bundle.json)) ?? retention;
    return retention;
  };
}
