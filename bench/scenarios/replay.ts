import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  createBundle,
  PolicyCache,
  PolicyCatalog,
  parseDocument,
  secretsOf,
} from '../../src/config/index.ts';
import type { Snapshot } from '../../src/contract/index.ts';
import { loadReplay } from '../../src/lifecycle/index.ts';
import { POLICIES } from '../../src/policies/index.ts';
import { openRecording } from '../../src/recording/index.ts';
import { filesFrom } from '../../test/fixtures/config.ts';
import { KEY, protectedApi } from '../lib/protected-api.ts';
import { RECORDING_KEY, recordTraffic } from '../lib/recorded-traffic.ts';
import type { RunOptions, Scenario } from '../lib/scenario.ts';
import { median } from '../lib/statistics.ts';

const RECORDS = 100_000;
/** 20,000 records a second. */
const LIMIT_US = 50;
const LIMIT_TURN_MS = 50;

async function snapshotOf(limit: number): Promise<Snapshot> {
  const document = JSON.stringify(protectedApi(8080, 'http://127.0.0.1:9000')).replaceAll(
    '1000000000',
    String(limit),
  );
  const files = filesFrom({});
  const secrets = secretsOf({ BENCH_KEY: KEY }, files);
  const deps = { catalog: new PolicyCatalog(POLICIES), cache: new PolicyCache(), files, secrets };
  return (await createBundle(parseDocument(document, 'bench.json'), deps)).snapshot;
}

interface Run {
  readonly microseconds: number;
  /** The longest that the thread worked without giving the event loop its turn. */
  readonly longestTurnMs: number;
}

/** Decrypts, decompresses, parses and judges all records; the time is of all threads of the process. */
async function replayOnce(dir: string, draft: Snapshot, against: Snapshot | undefined): Promise<Run> {
  const { comparedOf, replay } = await loadReplay();
  const recording = openRecording(dir, new Map([[RECORDING_KEY.id, RECORDING_KEY.key]]));
  const turns = new Turns();
  const before = process.cpuUsage();
  const diff = await replay(draft, recording.read(), { against });
  const { user, system } = process.cpuUsage(before);
  const longestTurnMs = turns.end();
  if (diff.records !== RECORDS || comparedOf(diff) !== RECORDS) throw new Error(JSON.stringify(diff.totals));
  return { microseconds: (user + system) / RECORDS, longestTurnMs };
}

/** How long the thread works between the turns of its event loop; what others do on the machine does not count. */
class Turns {
  #longestMs = 0;
  #before = process.threadCpuUsage();
  #isOver = false;

  constructor() {
    this.#turn();
  }

  end(): number {
    this.#isOver = true;
    return this.#longestMs;
  }

  #turn(): void {
    const { user, system } = process.threadCpuUsage(this.#before);
    this.#before = process.threadCpuUsage();
    this.#longestMs = Math.max(this.#longestMs, (user + system) / 1000);
    if (!this.#isOver) setImmediate(() => this.#turn());
  }
}

async function measure(dir: string, { rounds, log }: RunOptions) {
  const [draft, against] = [await snapshotOf(1_000_000_000), await snapshotOf(900_000_000)];
  const kinds = [
    { name: 'with what was decided then', against: undefined },
    { name: 'with another revision', against },
  ];
  const rows = [];
  const bars = [];
  for (const kind of kinds) {
    const runs: Run[] = [];
    for (let round = 0; round <= rounds; round++) {
      const run = await replayOnce(dir, draft, kind.against);
      log(`${kind.name}, round ${round}: ${run.microseconds.toFixed(1)} µs a record`);
      // The first is the compiler's.
      if (round > 0) runs.push(run);
    }
    const us = median(runs.map(({ microseconds }) => microseconds));
    const turn = median(runs.map(({ longestTurnMs }) => longestTurnMs));
    rows.push({
      compared: kind.name,
      'µs/record': us.toFixed(1),
      'records/s per core': Math.round(1e6 / us),
      'longest turn ms': turn.toFixed(0),
    });
    const slug = kind.against === undefined ? 'then' : 'revision';
    bars.push({ name: `replay/${slug}-us-per-record`, value: us, limit: LIMIT_US });
    bars.push({ name: `replay/${slug}-longest-turn-ms`, value: turn, limit: LIMIT_TURN_MS });
  }
  await Promise.all([draft.dispose(), against.dispose()]);
  return { rows, bars };
}

/** API key, ACL, 10,000 networks and a rate limit, over a recording on disk. */
const scenario: Scenario = {
  title: `Replay of ${RECORDS} recorded requests: read, decrypted, judged and compared`,
  async run(options) {
    const dir = await mkdtemp(path.join(tmpdir(), 'sallyport-bench-'));
    try {
      await recordTraffic(dir, RECORDS);
      return await measure(dir, options);
    } finally {
      await rm(dir, { recursive: true });
    }
  },
};

export default scenario;
