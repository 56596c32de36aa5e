/** A thread that judges what was recorded by two revisions, beside the traffic. Nobody outside is asked. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Bundle, compileBundle, PolicyCache, PolicyCatalog } from './config/index.ts';
import { openRecordingIn, type ReplayMessage, type ReplaySetup } from './control/index.ts';
import { InternalError } from './errors.ts';
import { createSystemRandom } from './lib/system.ts';
import { loadReplay, type ReplayEvidence } from './lifecycle/index.ts';
import { POLICIES } from './policies/index.ts';
import { attachCredentials, LiveState } from './state/index.ts';

const setup: ReplaySetup = workerData;
if (parentPort === null) throw new InternalError('a replay is started as a thread, by the program');
const port = parentPort;

async function run(): Promise<ReplayEvidence> {
  const { candidate, active, sinceMs: fromMs, dataDir, masterKey: references } = setup;
  const live = new LiveState(attachCredentials(setup.credentials));
  for (const update of setup.lists) live.apply(update);
  const catalog = new PolicyCatalog(POLICIES);
  // Each of its own: policies keep some of what they see to themselves.
  const compile = (bundle: Bundle) => compileBundle(bundle, { catalog, cache: new PolicyCache(), live });
  const [draft, against] = [await compile(candidate), await compile(active)];
  const { environment, randomBytes } = NO_NEW_KEYS;
  const recording = await openRecordingIn({ references, dataDir, environment, randomBytes });
  const { callersOf, comparedOf, replay, undecidedByReason } = await loadReplay();
  const diff = await replay(draft, recording.read({ fromMs }), {
    against,
    callers: callersOf(catalog, JSON.parse(candidate.json), JSON.parse(active.json)),
    onProgress: (progress) => tell({ kind: 'progress', progress }),
  });
  const { flips, otherFlips } = diff;
  return { judged: comparedOf(diff), flips, otherFlips, undecided: undecidedByReason(diff) };
}

const NO_NEW_KEYS = {
  environment: process.env,
  randomBytes: (size: number) => Buffer.from(createSystemRandom().hex(size), 'hex'),
};

function tell(message: ReplayMessage): void {
  port.postMessage(message);
}

try {
  tell({ kind: 'done', replay: await run() });
} catch (error) {
  tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
}
