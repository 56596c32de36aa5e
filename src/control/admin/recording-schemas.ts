import { orNull, type Static, Type } from '../../lib/schema.ts';
import { strict, Time } from './schemas.ts';

/** What there is of a recording. */
export const RecordingView = strict({
  files: Type.Integer(),
  bytes: Type.Integer({ description: 'On disk, encrypted and compressed.' }),
  from: orNull(Time),
  to: orNull(Time),
  requests: Type.Integer({ description: 'Requests that the records stand for.' }),
  records: Type.Integer({ description: 'Requests that are kept.' }),
  completeIntervals: Type.Integer({
    description: 'Stretches of time, of up to 10 s each and by worker, of which every request is kept.',
  }),
  sampledIntervals: Type.Integer({ description: 'Those of which a sample is kept.' }),
  torn: Type.Integer({ description: 'Pieces that a process had not finished when it ended.' }),
  tampered: Type.Integer({ description: 'Pieces that were changed or are missing; they are not read.' }),
  foreign: Type.Integer({ description: 'Pieces that need a master key which is not given.' }),
});

export const RecordingClear = strict({
  before: Type.Optional(
    Type.String({
      format: 'date-time',
      description: 'Files that were written on since stay whole. Left out: everything.',
    }),
  ),
  reason: Type.String({
    maxLength: 500,
    default: '',
    pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$',
    description: 'Why, for the audit.',
  }),
});
export type RecordingClear = Static<typeof RecordingClear>;

export const RecordingCleared = strict({
  deletedFiles: Type.Integer(),
  deletedBytes: Type.Integer(),
  bytes: Type.Integer({ description: 'What is left.' }),
});
