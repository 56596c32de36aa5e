import type { Command } from 'commander';
import { Option } from 'commander';
import {
  AdminApi,
  AdminError,
  type AdminOptions,
  type AdminResult,
  addAdminOptions,
  adminToken,
  askAdmin,
  expectAnswer,
} from './admin-client.ts';
import { type AskedOptions, addAskedOptions, askedOf } from './asking-as.ts';
import {
  exitCodeOf,
  type FollowDeps,
  followRollout,
  isForPeople,
  ROLLOUT_EXIT_HELP,
} from './follow-rollout.ts';
import { openRollout, RolloutAnswer, readRollout } from './rollout-answer.ts';
import { rolloutText } from './rollout-text.ts';
import { paint, printable, processTerminal, type Terminal } from './terminal.ts';

type ActOptions = AdminOptions & AskedOptions;

interface ApproveOptions extends ActOptions {
  readonly evidence?: string;
}

interface PromoteOptions extends ActOptions {
  readonly all: boolean;
}

/** `sallyport rollout` and the commands below it. */
export function addRolloutCommands(program: Command, terminal: Terminal = processTerminal()): void {
  const rollout = program
    .command('rollout')
    .summary('the rollout under way: status, watch, approve, pause, resume, promote, abort')
    .description('Looks after the rollout under way in a running gateway. There is one at a time.');
  addReading(rollout, terminal);
  addActs(rollout, terminal);
  addDecisions(rollout, terminal);
}

function addReading(rollout: Command, terminal: Terminal): void {
  const status = rollout
    .command('status', { isDefault: true })
    .summary('show where it is')
    .description('Shows a rollout: where it is, what it has shown, what it waits for.')
    .argument('[id]', 'by default the one under way, or the latest');
  addAdminOptions(status).action(async (id: string | undefined, options: AdminOptions) => {
    process.exitCode = await askAdmin(options, terminal, async (api) =>
      shown(await readRollout(api, id), terminal),
    );
  });
  const watch = rollout
    .command('watch')
    .summary('show it as it goes on')
    .description(
      'Shows a rollout as it goes on, until it has ended. Where nobody looks, each change is a line of JSON, or with ' +
        '--format text a line of text.',
    )
    .argument('[id]', 'by default the one under way, or the latest');
  addAdminOptions(watch, ROLLOUT_EXIT_HELP).action(async (id: string | undefined, options: AdminOptions) => {
    const isText = isForPeople(watch, options, terminal);
    process.exitCode = await watchRollout(id, options, { terminal, isText });
  });
}

async function watchRollout(
  id: string | undefined,
  options: AdminOptions,
  { terminal, isText }: FollowDeps,
): Promise<number> {
  const api = new AdminApi(options.admin, adminToken(options.data, process.env));
  try {
    const { id: which } = await readRollout(api, id);
    return exitCodeOf(await followRollout(api, which, { terminal, isText }));
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    const { code, status, message } = error;
    if (isText) terminal.error(`${paint(terminal, 'red', 'error')}: ${printable(message)}\n`);
    else terminal.out(`${JSON.stringify({ error: { code, status, detail: message } })}\n`);
    return 1;
  }
}

/** What is done with nothing but a name and a reason. */
const ACTS = [
  ['pause', 'keep it from going on', 'Keeps it where it is. What is broken is rolled back all the same.'],
  ['resume', 'let it go on', 'Lets it go on; what was left of the time of its step is still to pass.'],
  ['abort', 'end it', 'Ends it: the revision in service decides all requests again.'],
] as const;

function addActs(rollout: Command, terminal: Terminal): void {
  for (const [name, summary, description] of ACTS) {
    const command = rollout.command(name).summary(summary).description(description);
    addAskedOptions(command);
    addAdminOptions(command).action(async (options: ActOptions) => {
      process.exitCode = await askAdmin(options, terminal, (api) =>
        act(api, name, askedOf(options), terminal),
      );
    });
  }
}

function addDecisions(rollout: Command, terminal: Terminal): void {
  const promote = rollout
    .command('promote')
    .summary('go on to the next step now')
    .description('Goes on to the next step now, whatever time is left of this one.')
    .option('--all', 'past all steps that are left: it is live at once', false);
  addAskedOptions(promote);
  addAdminOptions(promote).action(async ({ all, ...options }: PromoteOptions) => {
    const body = { ...askedOf(options), to: all ? 'active' : 'next' };
    process.exitCode = await askAdmin(options, terminal, (api) => act(api, 'promote', body, terminal));
  });
  const approve = rollout
    .command('approve')
    .summary('agree to it')
    .description(
      'Agrees to the rollout under way as it is shown: the revision, the way it is to go and what replay has shown. Its ' +
        'author cannot. With one admin token nothing proves who you are: what is noted is the name you give.',
    )
    .addOption(
      new Option(
        '--evidence <HASH>',
        'only if it still shows what you have looked at: the "evidence" of its status',
      ),
    );
  addAskedOptions(approve);
  addAdminOptions(approve).action(async ({ evidence: seen, ...options }: ApproveOptions) => {
    process.exitCode = await askAdmin(options, terminal, async (api) => {
      const { evidence } = await openRollout(api);
      if (evidence === null) throw new AdminError('the rollout under way asks for no approval');
      return await act(api, 'approve', { ...askedOf(options), evidence: seen ?? evidence }, terminal);
    });
  });
}

async function act(api: AdminApi, what: string, body: object, terminal: Terminal): Promise<AdminResult> {
  const { id } = await openRollout(api);
  const data = await api.post(`/api/rollouts/${encodeURIComponent(id)}/${what}`, body);
  return shown(expectAnswer(RolloutAnswer, data), terminal);
}

const shown = (rollout: RolloutAnswer, terminal: Terminal): AdminResult => ({
  data: rollout,
  text: rolloutText(rollout, Date.now(), terminal),
});
