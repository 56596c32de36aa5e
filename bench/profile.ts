/**
 * Runs a load against the gateway with V8's CPU profiler on and prints the functions that took most time themselves:
 * `node bench/profile.ts [--load plain|read|write] [--seconds N] [--top N]`. `plain` is the load of the scenario
 * proxy; `read` and `write` are the GET and the POST of the scenario policies.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePort, proxyDocument, startGateway } from '../test/fixtures/gateway.ts';
import { selfTimes } from './lib/cpuprofile.ts';
import { LOAD_CORE, MEASURED_CORE } from './lib/lanes.ts';
import { KEY, POST_SCRIPT, protectedApi } from './lib/protected-api.ts';
import { table } from './lib/report.ts';
import { onStage } from './lib/stage.ts';
import { runWrk } from './lib/wrk.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '6' },
    top: { type: 'string', default: '40' },
    load: { type: 'string', default: 'plain' },
  },
});

const folder = await mkdtemp(join(tmpdir(), 'bench-profile-'));
await onStage(async ({ originPort }) => {
  const port = await freePort();
  const upstream = `http://127.0.0.1:${originPort}`;
  const isPlain = values.load === 'plain';
  const script = join(folder, 'post.lua');
  await writeFile(script, POST_SCRIPT);
  const gateway = await startGateway(
    isPlain ? proxyDocument({ port, upstream }) : protectedApi(port, upstream),
    {
      launcher: ['taskset', '-c', String(MEASURED_CORE)],
      nodeArguments: ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=500'],
      env: { BENCH_KEY: KEY },
      ...(isPlain ? {} : { records: join(folder, 'records.jsonl') }),
      startTimeoutMs: 30_000,
    },
  );
  const { requests, seconds } = await runWrk(gateway.port, {
    path: values.load === 'write' ? '/write/17' : '/read/17',
    headers: isPlain ? [] : [`X-API-Key: ${KEY}`],
    connections: 64,
    seconds: Number(values.seconds),
    core: LOAD_CORE,
    ...(values.load === 'write' ? { script } : {}),
  });
  console.log(`${Math.round(requests / seconds)} requests/s under the profiler`);
  await gateway.stop();
});

for (const file of (await readdir(folder)).filter((f) => f.endsWith('.cpuprofile'))) {
  const { rows, totalMs } = selfTimes(await readFile(join(folder, file), 'utf8'), Number(values.top));
  console.log(`\n${file}: ${totalMs.toFixed(0)} ms sampled`);
  console.log(table(rows));
}
await rm(folder, { recursive: true, force: true });
