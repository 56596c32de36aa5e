import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../test/fixtures/gateway.ts';
import { startSallyport } from '../lib/gateway.ts';
import { cpuRatio, laneRow, MEASURED_CORE, measureLanes } from '../lib/lanes.ts';
import { CIDRS, KEY, POST_SCRIPT, protectedApi } from '../lib/protected-api.ts';
import type { RunOptions, Scenario } from '../lib/scenario.ts';
import { onStage } from '../lib/stage.ts';
import { startNginx } from '../peers/nginx.ts';

/** What a protected API costs: authentication, authorisation, addresses, limits and a record of every request. */
const scenario: Scenario = {
  title: `api-key, acl, ip-list (${CIDRS} CIDRs), rate-limit, records to a file; the same with validate on a 1 kB POST`,
  run: (options: RunOptions) =>
    onStage(async ({ originPort, add }) => {
      const folder = await mkdtemp(join(tmpdir(), 'bench-policies-'));
      try {
        const post = join(folder, 'post.lua');
        await writeFile(post, POST_SCRIPT);
        const upstream = `http://127.0.0.1:${originPort}`;
        const nginx = await add(
          startNginx({ port: await freePort(), upstreamPort: originPort, core: MEASURED_CORE }),
        );
        const sallyport = await add(
          startSallyport('sallyport', protectedApi(await freePort(), upstream), {
            records: join(folder, 'records.jsonl'),
            env: { BENCH_KEY: KEY },
          }),
        );
        const headers = [`X-API-Key: ${KEY}`];
        const results = await measureLanes(
          [
            { name: 'nginx GET', peer: nginx, load: { path: '/read/17', headers } },
            { name: 'sallyport GET, policies', peer: sallyport, load: { path: '/read/17', headers } },
            { name: 'nginx POST', peer: nginx, load: { path: '/write/17', headers, script: post } },
            {
              name: 'sallyport POST, policies + validate',
              peer: sallyport,
              load: { path: '/write/17', headers, script: post },
            },
          ],
          options,
        );
        const [nginxGet, get, nginxPost, validated] = results;
        return {
          rows: [
            laneRow(nginxGet, nginxGet),
            laneRow(get, nginxGet),
            laneRow(nginxPost, nginxPost),
            laneRow(validated, nginxPost),
          ],
          bars: [
            { name: 'policies/nginx', value: cpuRatio(get, nginxGet), limit: 2.0 },
            { name: 'policies+validate/nginx', value: cpuRatio(validated, nginxPost), limit: 2.6 },
          ],
        };
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }),
};

export default scenario;
