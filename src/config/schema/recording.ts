import { Type } from '../../lib/schema.ts';
import { durationText, sizeText } from './text.ts';

/** Defaults as a user would write them. */
export const DEFAULT_RECORDING = Object.freeze({
  requests: 200,
  bodies: '16kB',
  keep: '24h',
  maxSize: '256MB',
});

/** What is more costs more than a worker has to give. */
const MOST_RECORDED = 10_000;

export const RecordingSchema = Type.Union(
  [
    Type.Literal('off'),
    Type.Object(
      {
        requests: Type.Optional(
          Type.Integer({
            description:
              'Requests per second and worker that are all kept. Where there are more, a fair sample of them is, and of those that were refused one of their own.',
            minimum: 1,
            maximum: MOST_RECORDED,
            default: DEFAULT_RECORDING.requests,
          }),
        ),
        bodies: Type.Optional(
          sizeText('Longer request bodies are left out; `0B` for all.', DEFAULT_RECORDING.bodies),
        ),
        keep: Type.Optional(durationText('Older records are deleted.', DEFAULT_RECORDING.keep)),
        maxSize: Type.Optional(
          sizeText(
            'Size of all records on disk, encrypted and compressed. Over it the oldest are deleted.',
            DEFAULT_RECORDING.maxSize,
          ),
        ),
      },
      { additionalProperties: false },
    ),
  ],
  {
    description:
      'What is kept of the requests served, so that a draft can be judged by them. Credentials never are; what is kept is encrypted. `off` for nothing.',
  },
);
