import { freePort } from '../../test/fixtures/gateway.ts';
import { RedisServer } from '../../test/fixtures/redis-server.ts';
import { startSallyport } from '../lib/gateway.ts';
import { judgeLimitsApart } from '../lib/judge-limits.ts';
import { LIMITED, limitedDocument, SHARED } from '../lib/limited-routes.ts';
import { measurePaired, type PairedLane } from '../lib/paired.ts';
import type { Bar, Row, RunOptions, Scenario } from '../lib/scenario.ts';
import { onStage } from '../lib/stage.ts';

/** CPU time of whole requests over the same request on a route without a limit, in microseconds. */
const ONE_LIMIT_US = 1;
const LEASED_US = 3;
const EIGHT_LIMITS_US = 6;

/**
 * What limits cost. First the judging alone, in nanoseconds in a process of its own; then whole requests through the
 * gateway, as CPU time over the same request on a route without a limit. Limits are never met. The gateway that shares its
 * counters has a Redis server of its own, whose CPU time is not counted: `leased` asks it now and then, `exact` for every
 * request.
 */
const scenario: Scenario = {
  title: 'Limits: one, eight, every algorithm, and one whose counters are shared through Redis',
  run: (options: RunOptions) =>
    onStage(async ({ originPort, add }) => {
      const judged = await judgeLimitsApart(options);
      const upstream = `http://127.0.0.1:${originPort}`;
      const alone = await add(startSallyport('alone', limitedDocument(await freePort(), upstream, LIMITED)));
      const names = ['gcra', 'fixed-window', 'sliding-window', 'eight'];
      const [bare, gcra, fixed, sliding, eight] = await measurePaired(alone, 'unlimited', names, options);
      await alone.stop();
      const redis = await RedisServer.start();
      try {
        const sharing = await add(
          startSallyport('sharing', limitedDocument(await freePort(), upstream, SHARED), {
            arguments: ['--state', redis.url],
          }),
        );
        const shared = await measurePaired(sharing, 'unlimited', ['leased', 'exact'], options);
        const [bareShared, leased, exact] = shared;
        return {
          rows: [
            ...judged,
            ...[bare, gcra, fixed, sliding, eight].map(rowOf),
            rowOf({ ...bareShared, name: 'unlimited, shared' }),
            ...[leased, exact].map(rowOf),
          ],
          bars: [
            barOf('one limit, µs', gcra, ONE_LIMIT_US),
            barOf('leased, µs', leased, LEASED_US),
            barOf('eight limits, µs', eight, EIGHT_LIMITS_US),
          ],
        };
      } finally {
        await redis.stop();
      }
    }),
};

const barOf = (name: string, { over }: PairedLane, limit: number): Bar => ({
  name,
  value: over.value,
  limit,
  spread: over,
});

const rowOf = ({ name, microsecondsPerRequest, over, pairs }: PairedLane): Row => ({
  lane: name,
  'CPU µs/request': microsecondsPerRequest.toFixed(1),
  'over unlimited, µs': pairs === 0 ? '' : over.value.toFixed(2),
  'of 95 in 100': pairs === 0 ? '' : `${over.from.toFixed(2)} to ${over.to.toFixed(2)}`,
  pairs: pairs === 0 ? '' : pairs,
});

export default scenario;
