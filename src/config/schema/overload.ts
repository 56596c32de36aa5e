import { BYTE_SIZE_PATTERN } from '../../lib/byte-size.ts';
import { Type } from '../../lib/schema.ts';
import { durationText, patterned } from './text.ts';

/** A share in percent, or a size. */
const MEMORY_PATTERN = `^([1-9][0-9]?|100)%$|${BYTE_SIZE_PATTERN}`;

/** Defaults as a user would write them. */
export const DEFAULT_OVERLOAD = Object.freeze({
  lag: '20ms',
  memory: '90%',
  retryAfter: '1s',
});

export const OverloadSchema = Type.Union(
  [
    Type.Literal('off'),
    Type.Object(
      {
        lag: Type.Optional(
          durationText(
            'How long requests may wait for a worker’s event loop, or for the pool of threads that verifies signatures, for a tenth of a second on end. Once a crowd does, and for what the worker does itself, some are refused, so that the others wait no longer than about a tenth of this for each turn.',
            DEFAULT_OVERLOAD.lag,
          ),
        ),
        memory: Type.Optional(
          patterned(MEMORY_PATTERN, 'must be a share of what there is, like 90%, or a size, like 2GB', {
            description:
              'From when on memory counts as short: a share (of the heap of a worker, and of what the process may have), or resident memory of the process.',
            default: DEFAULT_OVERLOAD.memory,
          }),
        ),
        retryAfter: Type.Optional(
          durationText('What who is refused is told to wait.', DEFAULT_OVERLOAD.retryAfter),
        ),
      },
      { additionalProperties: false },
    ),
  ],
  {
    description:
      'When a worker cannot keep up, it refuses requests at once instead of serving all too late: those of routes with the lowest `priority` first. `off` for never.',
  },
);
