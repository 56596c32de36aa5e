import { Command, CommanderError } from 'commander';
import { ConfigError } from '../errors.ts';
import { issuesText } from './issues-text.ts';
import { addRunCommand, type RunOptions } from './run.ts';
import { nameHelp, refuseMisspelt } from './subcommands.ts';
import { processTerminal, type Terminal } from './terminal.ts';

export { type BannerFacts, bannerText } from './banner.ts';
export { addDemoKey, type DemoUpstream, demoRequest, startDemoUpstream } from './demo.ts';
export type { HostPort } from './options.ts';
export { postgresSettings } from './postgres-option.ts';
export { preflight } from './preflight.ts';
export type { RunOptions } from './run.ts';
export { storeSettings } from './store-option.ts';
export { packageVersion } from './version.ts';

/** Ended as asked, could not or failed, wrong usage. */
export const EXIT = Object.freeze({ ok: 0, failure: 1, usage: 2 });

export interface ProgramDeps {
  /** Does `sallyport run`. */
  readonly run: (options: RunOptions) => Promise<void>;
}

/** Parses the command line and does what it says; what fails sets the exit code and says why on stderr. */
export async function runProgram(argv: readonly string[], deps: ProgramDeps): Promise<void> {
  const terminal = processTerminal();
  const program = new Command('sallyport')
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.error(text) })
    .description('An API and AI gateway whose policy updates are safe.')
    .helpOption('-h, --help', 'show help')
    .commandsGroup('Others:')
    .helpCommand('help [command]', 'show help of a command')
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText(
      'after',
      '\nExit codes:\n  0  done\n  1  invalid document, failed tests, or a failure\n  2  wrong usage\n',
    );
  program.commandsGroup('The gateway:');
  addRunCommand(program, deps.run);
  if (argv[2] !== 'run') await addOtherCommands(program);
  nameHelp(program);
  for (const group of program.commands) refuseMisspelt(group);
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    process.exitCode = exitCodeFor(error, terminal);
  }
}

/** They load what compiles documents; `run` has its workers on their way before it does that. */
async function addOtherCommands(program: Command): Promise<void> {
  const [
    { addBackupCommands },
    { addBanCommands },
    { addCheckCommand },
    { addConsumerCommands },
    { addCredentialCommands },
    { addDiffCommand },
    { addExplainCommand },
    { addHistoryCommand },
    { addListCommands },
    { addNodesCommand },
    { addPublishCommand },
    { addQuotaCommands },
    { addRecordingCommands },
    { addReplayCommand },
    { addRollbackCommand },
    { addRolloutCommands },
    { addSyncCommand },
    { addTestCommand },
    { addTokenCommands },
    { addVersionCommand },
  ] = await Promise.all([
    import('./backup.ts'),
    import('./bans.ts'),
    import('./check.ts'),
    import('./consumers.ts'),
    import('./credentials.ts'),
    import('./diff.ts'),
    import('./explain.ts'),
    import('./history.ts'),
    import('./lists.ts'),
    import('./nodes.ts'),
    import('./publish.ts'),
    import('./quotas.ts'),
    import('./recordings.ts'),
    import('./replay.ts'),
    import('./rollback.ts'),
    import('./rollout.ts'),
    import('./sync.ts'),
    import('./test.ts'),
    import('./tokens.ts'),
    import('./version.ts'),
  ]);
  program.commandsGroup('A change of the document, on its way to live:');
  addCheckCommand(program);
  addTestCommand(program);
  addDiffCommand(program);
  addReplayCommand(program);
  addPublishCommand(program);
  addRolloutCommands(program);
  addRollbackCommand(program);
  addSyncCommand(program);
  addHistoryCommand(program);
  program.commandsGroup('What was decided, and why:');
  addExplainCommand(program);
  addRecordingCommands(program);
  program.commandsGroup('What changes at once:');
  addBanCommands(program);
  addListCommands(program);
  addQuotaCommands(program);
  addConsumerCommands(program);
  addCredentialCommands(program);
  addTokenCommands(program);
  program.commandsGroup('Nodes and their store:');
  addNodesCommand(program);
  addBackupCommands(program);
  program.commandsGroup('Others:');
  addVersionCommand(program);
}

/** Tells what failed, without a stack, unless it was told already. */
function exitCodeFor(error: unknown, terminal: Terminal): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof ConfigError) terminal.error(issuesText(error.issues));
  else terminal.error(`sallyport failed: ${error instanceof Error ? error.message : String(error)}\n`);
  return EXIT.failure;
}
