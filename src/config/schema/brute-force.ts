import { Type } from '../../lib/schema.ts';
import { durationText } from './text.ts';

/** Defaults as a user would write them. */
export const DEFAULT_BRUTE_FORCE = Object.freeze({
  failures: 20,
  window: '1m',
  banAfter: 100,
  banWindow: '10m',
  ban: '10m',
});

const count = (description: string, fallback: number) =>
  Type.Optional(Type.Integer({ description, default: fallback, minimum: 1, maximum: 1_000_000 }));

export const BruteForceSchema = Type.Union(
  [
    Type.Literal('off'),
    Type.Object(
      {
        failures: count(
          'Wrong credentials per `window` before tries are slowed down.',
          DEFAULT_BRUTE_FORCE.failures,
        ),
        window: Type.Optional(durationText('The time of `failures`.', DEFAULT_BRUTE_FORCE.window)),
        banAfter: count('Wrong credentials per `banWindow` that end in a ban.', DEFAULT_BRUTE_FORCE.banAfter),
        banWindow: Type.Optional(durationText('The time of `banAfter`.', DEFAULT_BRUTE_FORCE.banWindow)),
        ban: Type.Optional(durationText('How long the ban lasts.', DEFAULT_BRUTE_FORCE.ban)),
      },
      { additionalProperties: false },
    ),
  ],
  {
    description:
      'Who guesses credentials, by address (IPv6: /64), is slowed down, then refused for a time; so is a user name that is guessed at, from ten times as many. `off` for never.',
  },
);
