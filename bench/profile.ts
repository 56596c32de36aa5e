/**
 * Runs a load against the gateway with V8's CPU profiler on and prints the functions that took most time themselves:
 * `node bench/profile.ts [--load plain|read|write] [--seconds N] [--top N]`. `plain` is the load of the scenario
 * proxy; `read` and `write` are the GET and the POST of the scenario policies.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Document, freePort, proxyDocument, startGateway } from '../test/fixtures/gateway.ts';
import { selfTimes } from './lib/cpuprofile.ts';
import { LOAD_CORE, MEASURED_CORE } from './lib/lanes.ts';
import { table } from './lib/report.ts';
import { onStage } from './lib/stage.ts';
import { runWrk } from './lib/wrk.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '6' },
    top: { type: 'string', default: '40' },
    policies: { type: 'string', default: '[]' },
  },
});

const folder = await mkdtemp(join(tmpdir(), 'bench-profile-'));
await onStage(async ({ originPort }) => {
  const document: Document = proxyDocument({
    port: await freePort(),
    upstream: `http://127.0.0.1:${originPort}`,
    policies: JSON.parse(values.policies),
  });
  const gateway = await startGateway(document, {
    launcher: ['taskset', '-c', String(MEASURED_CORE)],
    nodeArguments: ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=500'],
    startTimeoutMs: 30_000,
  });
  const load = { path: '/orders/17', connections: 64, seconds: Number(values.seconds), core: LOAD_CORE };
  const { requests, seconds } = await runWrk(gateway.port, load);
  console.log(`${Math.round(requests / seconds)} requests/s under the profiler`);
  await gateway.stop();
});

for (const file of (await readdir(folder)).filter((f) => f.endsWith('.cpuprofile'))) {
  const { rows, totalMs } = selfTimes(await readFile(join(folder, file), 'utf8'), Number(values.top));
  console.log(`\n${file}: ${totalMs.toFixed(0)} ms sampled`);
  console.log(table(rows));
}
await rm(folder, { recursive: true, force: true });
