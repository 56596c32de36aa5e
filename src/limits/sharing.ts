import type { Sharing } from '../contract/index.ts';
import { Type } from '../lib/schema.ts';

/** Of a limiter that can only be counted exactly. */
export const STATE_LOSS_FIELD = {
  onStateLoss: Type.Optional(
    Type.Union([Type.Literal('local'), Type.Literal('open'), Type.Literal('closed')], {
      description:
        'When the shared store does not answer: `local` counts on this node, by the share of the limit it would have; `open` admits; `closed` refuses with 503.',
      default: 'local',
    }),
  ),
};

/** What a document says of a limiter where several nodes share a store (`--state`). */
export const SHARING_FIELDS = {
  counting: Type.Optional(
    Type.Union([Type.Literal('exact'), Type.Literal('leased')], {
      description:
        'With a shared store (`--state`): `exact` asks it for every request; `leased` takes shares of the limit ahead and answers from them, which may admit a little more than the limit.',
      default: 'exact',
    }),
  ),
  ...STATE_LOSS_FIELD,
};

/** As the counters are told. */
export const sharingOf = (config: {
  readonly counting?: Sharing['counting'];
  readonly onStateLoss?: Sharing['onLoss'];
}): Sharing => ({ counting: config.counting ?? 'exact', onLoss: config.onStateLoss ?? 'local' });
