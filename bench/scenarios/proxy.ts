import { freePort, proxyDocument } from '../../test/fixtures/gateway.ts';
import { startSallyport } from '../lib/gateway.ts';
import { cpuRatio, laneRow, MEASURED_CORE, measureLanes } from '../lib/lanes.ts';
import type { RunOptions, Scenario } from '../lib/scenario.ts';
import { onStage } from '../lib/stage.ts';
import { startHaproxy } from '../peers/haproxy.ts';
import { startNginx } from '../peers/nginx.ts';
import { startNodeUndici } from '../peers/node-undici.ts';

/** Plain proxying of small answers over kept connections, beside nginx, HAProxy and the usual Node way. */
const scenario: Scenario = {
  title: 'Plain proxying: GET, 1 kB answers, keep-alive, 64 connections, one core',
  run: (options: RunOptions) =>
    onStage(async ({ originPort, add }) => {
      const where = async () => ({ port: await freePort(), upstreamPort: originPort, core: MEASURED_CORE });
      const upstream = `http://127.0.0.1:${originPort}`;
      const peers = [
        await add(startNginx(await where())),
        await add(startSallyport('sallyport', proxyDocument({ port: await freePort(), upstream }))),
        await add(startNodeUndici(await where())),
        await add(startHaproxy(await where())),
      ];
      const lanes = peers.map((peer) => ({ name: peer.name, peer, load: { path: '/orders/17' } }));
      const results = await measureLanes(lanes, options);
      const [nginx, sallyport, undici] = results;
      return {
        rows: results.map((result) => laneRow(result, nginx)),
        bars: [
          { name: 'proxy/nginx', value: cpuRatio(sallyport, nginx), limit: 1.6 },
          { name: 'proxy/node-undici', value: cpuRatio(sallyport, undici), limit: 0.65 },
        ],
      };
    }),
};

export default scenario;
