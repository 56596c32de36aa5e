import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, proxyDocument } from '../../test/fixtures/gateway.ts';
import { startSallyport } from '../lib/gateway.ts';
import { cpuRatio, laneRow, measureLanes } from '../lib/lanes.ts';
import type { RunOptions, Scenario } from '../lib/scenario.ts';
import { onStage } from '../lib/stage.ts';

const FEW = 10;
const MANY = 10_000;

const routes = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    name: `route-${i}`,
    match: { path: `/team-${i % 100}/service-${i}/{id}/**` },
    upstream: 'origin',
    policies: [],
  }));

/** Calls spread evenly over all routes, the paths made before the load starts. */
const script = (count: number) => `local requests = {}
local n = 0
function init(args)
  for i = 0, 999 do
    local r = math.floor(i * ${count} / 1000)
    requests[i] = wrk.format("GET", string.format("/team-%d/service-%d/%d/items", r % 100, r, i))
  end
end
function request()
  n = (n + 1) % 1000
  return requests[n]
end
`;

/** Whether a request costs more the more routes there are. */
const scenario: Scenario = {
  title: `${MANY} routes against ${FEW}, requests spread over all of them`,
  run: (options: RunOptions) =>
    onStage(async ({ originPort, add }) => {
      const folder = await mkdtemp(join(tmpdir(), 'bench-routes-'));
      try {
        const lanes = [];
        for (const count of [FEW, MANY]) {
          const file = join(folder, `${count}.lua`);
          await writeFile(file, script(count));
          const upstream = `http://127.0.0.1:${originPort}`;
          const document = proxyDocument({ port: await freePort(), upstream, routes: routes(count) });
          const peer = await add(startSallyport(`${count} routes`, document));
          lanes.push({ name: `${count} routes`, peer, load: { path: '/', script: file } });
        }
        const results = await measureLanes(lanes, options);
        const [few, many] = results;
        return {
          rows: results.map((result) => laneRow(result, few)),
          bars: [{ name: 'routes/10000-over-10', value: cpuRatio(many, few), limit: 1.1 }],
        };
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }),
};

export default scenario;
