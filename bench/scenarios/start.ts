import { setTimeout as delay } from 'node:timers/promises';
import { freePort, proxyDocument, startGateway } from '../../test/fixtures/gateway.ts';
import { exchange, statusOf } from '../../test/fixtures/raw-client.ts';
import { residentBytes } from '../lib/proc.ts';
import type { RunOptions, Scenario } from '../lib/scenario.ts';
import { onStage } from '../lib/stage.ts';
import { median } from '../lib/statistics.ts';

const SETTLE_MS = 3000;
const BYTES_PER_MB = 1e6;

interface Start {
  readonly servedMs: number;
  readonly idleBytes: number;
}

/** From the spawned process to the first answer of the upstream through it; then its memory, left alone. */
async function startOnce(upstream: string): Promise<Start> {
  const document = proxyDocument({ port: await freePort(), upstream });
  const startedAt = performance.now();
  const gateway = await startGateway(document, { admin: true });
  try {
    const { response } = await exchange(gateway.port, 'GET / HTTP/1.1\r\nHost: bench\r\n\r\n');
    const servedMs = performance.now() - startedAt;
    if (response === undefined || statusOf(response) !== 200)
      throw new Error(`not served:\n${gateway.output}`);
    await delay(SETTLE_MS);
    return { servedMs, idleBytes: residentBytes(gateway.pid) };
  } finally {
    await gateway.stop();
  }
}

/** How soon a fresh process serves, and what it weighs while nothing happens. */
const scenario: Scenario = {
  title: 'Start to first served request, and resident memory idle (one worker, admin side on)',
  run: (options: RunOptions) =>
    onStage(async ({ originPort }) => {
      const starts: Start[] = [];
      for (let round = 1; round <= options.rounds; round++) {
        const start = await startOnce(`http://127.0.0.1:${originPort}`);
        starts.push(start);
        options.log(
          `round ${round}: served after ${start.servedMs.toFixed(0)} ms, idle at ${(start.idleBytes / BYTES_PER_MB).toFixed(1)} MB`,
        );
      }
      const servedMs = median(starts.map((s) => s.servedMs));
      const idleMb = median(starts.map((s) => s.idleBytes)) / BYTES_PER_MB;
      return {
        rows: [{ 'first served ms': servedMs.toFixed(0), 'idle RSS MB': idleMb.toFixed(1) }],
        bars: [
          { name: 'start/first-served-ms', value: servedMs, limit: 700 },
          { name: 'start/idle-rss-mb', value: idleMb, limit: 120 },
        ],
      };
    }),
};

export default scenario;
