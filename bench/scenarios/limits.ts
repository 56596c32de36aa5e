import { freePort } from '../../test/fixtures/gateway.ts';
import { RedisServer } from '../../test/fixtures/redis-server.ts';
import { startSallyport } from '../lib/gateway.ts';
import { judgeLimits } from '../lib/judge-limits.ts';
import { type LaneResult, laneRow, measureLanes } from '../lib/lanes.ts';
import { LIMITED, limitedDocument, SHARED } from '../lib/limited-routes.ts';
import type { RunOptions, Scenario } from '../lib/scenario.ts';
import { onStage } from '../lib/stage.ts';
import { median } from '../lib/statistics.ts';

/** CPU time of whole requests over the same request on a route without a limit, in microseconds. */
const ONE_LIMIT_US = 1;
const LEASED_US = 3;
const EIGHT_LIMITS_US = 6;

/**
 * What limits cost. First the judging alone, in nanoseconds in this process; then whole requests through the gateway, as
 * CPU time over the same request on a route without a limit. Limits are never met. The gateway that shares its counters
 * has a Redis server of its own, whose CPU time is not counted: `leased` asks it now and then, `exact` for every request.
 */
const scenario: Scenario = {
  title: 'Limits: one, eight, every algorithm, and one whose counters are shared through Redis',
  run: (options: RunOptions) =>
    onStage(async ({ originPort, add }) => {
      const judged = await judgeLimits(options);
      const upstream = `http://127.0.0.1:${originPort}`;
      const redis = await RedisServer.start();
      try {
        const alone = await add(
          startSallyport('alone', limitedDocument(await freePort(), upstream, LIMITED)),
        );
        const sharing = await add(
          startSallyport('sharing', limitedDocument(await freePort(), upstream, SHARED), {
            arguments: ['--state', redis.url],
          }),
        );
        const results = await measureLanes(
          [
            ...['unlimited', 'gcra', 'fixed-window', 'sliding-window', 'eight'].map((name) => ({
              name,
              peer: alone,
              load: { path: `/${name}` },
            })),
            ...['unlimited', 'leased', 'exact'].map((name) => ({
              name: name === 'unlimited' ? 'unlimited, shared' : name,
              peer: sharing,
              load: { path: `/${name}` },
            })),
          ],
          options,
        );
        const [bare, gcra, fixed, sliding, eight, bareShared, leased, exact] = results;
        return {
          rows: [
            ...judged,
            ...[bare, gcra, fixed, sliding, eight].map((result) => rowOver(result, bare)),
            ...[bareShared, leased, exact].map((result) => rowOver(result, bareShared)),
          ],
          bars: [
            { name: 'one limit, µs', value: microsecondsOver(gcra, bare), limit: ONE_LIMIT_US },
            { name: 'leased, µs', value: microsecondsOver(leased, bareShared), limit: LEASED_US },
            { name: 'eight limits, µs', value: microsecondsOver(eight, bare), limit: EIGHT_LIMITS_US },
          ],
        };
      } finally {
        await redis.stop();
      }
    }),
};

/** The difference of each round, then the median of those: a slow round is slow for both. */
function microsecondsOver(lane: LaneResult, bare: LaneResult): number {
  return median(lane.microsecondsPerRequest.map((value, i) => value - bare.microsecondsPerRequest[i]));
}

const rowOver = (lane: LaneResult, bare: LaneResult) => ({
  ...laneRow(lane, bare),
  [`over ${bare.name}, µs`]: microsecondsOver(lane, bare).toFixed(2),
});

export default scenario;
