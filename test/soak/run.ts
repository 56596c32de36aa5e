/**
 * Mixed traffic for a while, then a look at what is left: `node test/soak/run.ts [--seconds N] [--workers N]`.
 * Exits 1 when an answer was wrong, or memory, descriptors or threads did not stay flat.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openDescriptors, residentBytes, threads } from '../../bench/lib/proc.ts';
import { freePort, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { RawUpstream } from '../fixtures/raw-upstream.ts';
import { Traffic } from './traffic.ts';

const MB = 1e6;
/** Share of the run after which memory must no longer grow. */
const WARM_SHARE = 0.4;
const MOST_GROWTH = 1.15;
const MOST_LEFT_DESCRIPTORS = 20;
const LANES = 12;

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, workers: { type: 'string', default: '1' } },
});
const seconds = Number(values.seconds);

const upstream = await RawUpstream.start({ keep: false });
const gateway = await startGateway(
  proxyDocument({
    port: await freePort(),
    upstream: upstream.url,
    listener: { limits: { bodyBytes: '5MB' } },
    settings: { timeouts: { response: '2s', idle: '2s' }, passive: { failures: 1000 } },
    policies: [
      { 'ip-list': { deny: ['203.0.113.0/24'] } },
      { 'rate-limit': { limit: 1_000_000_000, window: '1m', by: { header: 'x-user' } } },
      { 'security-headers': {} },
    ],
  }),
  { workers: Number(values.workers) },
);
const traffic = new Traffic(gateway.port, upstream);
await traffic.once();
await delay(500);
const before = { descriptors: openDescriptors(gateway.pid), threads: threads(gateway.pid) };

traffic.start(LANES);
const samples: number[] = [];
for (let second = 1; second <= seconds; second++) {
  await delay(1000);
  samples.push(residentBytes(gateway.pid));
  if (second % 10 === 0)
    console.log(`${second} s: ${traffic.count} exchanges, RSS ${((samples.at(-1) ?? 0) / MB).toFixed(0)} MB`);
}
await traffic.stop();
upstream.forget();
await delay(2000);

const warm = samples.slice(Math.floor(samples.length * WARM_SHARE));
const third = Math.max(1, Math.floor(warm.length / 3));
const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;
const growth = mean(warm.slice(-third)) / mean(warm.slice(0, third));
const after = { descriptors: openDescriptors(gateway.pid), threads: threads(gateway.pid) };
await gateway.stop();
await upstream.stop();

const faults = [
  ...traffic.faults.slice(0, 10),
  ...(growth > MOST_GROWTH ? [`memory grew ${growth.toFixed(2)} times`] : []),
  ...(after.descriptors > before.descriptors + MOST_LEFT_DESCRIPTORS
    ? [`${after.descriptors} descriptors are open, ${before.descriptors} were`]
    : []),
  ...(after.threads > before.threads ? [`${after.threads} threads run, ${before.threads} did`] : []),
];
console.log(
  `${traffic.count} exchanges, memory × ${growth.toFixed(3)}, descriptors ${before.descriptors} → ${after.descriptors}`,
);
for (const [kind, count] of traffic.kinds) console.log(`  ${kind}: ${count}`);
for (const fault of faults) console.log(`FAULT ${fault}`);
process.exit(faults.length === 0 ? 0 : 1);
