import { type Command, Option } from 'commander';
import { declaredConsumers, listOf, memberOf, PolicyCatalog } from '../config/index.ts';
import { ConfigError } from '../errors.ts';
import { type DecisionDiff, loadReplay } from '../lifecycle/index.ts';
import { POLICIES } from '../policies/index.ts';
import { addFormatOptions, EXIT, formatOf, noteLines, openDocument, printIssues } from './check.ts';
import { issuesText } from './issues-text.ts';
import { addReference } from './options.ts';
import { parseAgo, parseClient, parseMaxFlips, parsePast, type ReplayOptions } from './replay-options.ts';
import { openRecords } from './replay-records.ts';
import { keptRevision, type Opponent, openFile, openKept } from './replay-revisions.ts';
import { renderDiff, renderExample } from './replay-text.ts';
import { processTerminal, type Terminal } from './terminal.ts';

const DAY_MS = 86_400_000;

const EXIT_CODES = `
Exit codes:
  0  no more requests than --max-flips are decided otherwise
  1  more are, there was nothing to replay, or the document has errors
  2  the command was used wrongly

Decided otherwise are requests that are allowed and were denied, denied and were
allowed, or go to another route. What cannot be decided is not among them.
`;

/** `sallyport replay FILE`. */
export function addReplayCommand(program: Command, terminal: Terminal = processTerminal()): void {
  const command = program
    .command('replay')
    .summary('judge recorded requests by a draft')
    .description(
      'Judges the requests that a gateway has recorded by a draft, and tells what it decides otherwise. Nobody is ' +
        'asked and nothing is changed; limits and quotas count in the time of the recording.',
    )
    .argument('<file>', 'the draft: a document or folder')
    .addOption(new Option('--records <DURATION>', 'how far back').argParser(parseAgo).default(DAY_MS, '24h'))
    .option(
      '--from <TIME|DURATION>',
      'from this time on, or from so long ago; in place of --records',
      parsePast,
    )
    .option('--to <TIME|DURATION>', 'before this time', parsePast)
    .option('-d, --data <DIR>', 'data folder of the gateway', '.data')
    .addOption(
      new Option(
        '--master-key <env:NAME|file:PATH>',
        'key that the recording was encrypted with; repeat it for more',
      )
        .argParser(addReference)
        .default([], 'DIR/master-key'),
    )
    .addOption(new Option('--har <FILE>', 'replay an HTTP archive (HAR 1.2) instead').conflicts('log'))
    .option(
      '--log <FILE>',
      'replay an access log instead: combined, records of this gateway, JSON lines of others',
    )
    .option('--listener <NAME>', 'listener that imported requests came to (default: the first)')
    .option('--host <NAME>', 'host of imported requests that do not tell theirs')
    .option('--client <ADDRESS>', 'address of imported requests that do not tell theirs', parseClient)
    .option(
      '--against <FILE|active|recorded>',
      'compare with a document, the revision last served from the data folder, or what was decided then (default: active, where there is one)',
    )
    .option('--route <NAME>', 'compare only requests of a route')
    .option('--consumer <NAME>', 'compare only requests of a consumer')
    .option('--example <ID>', 'show one request as both judge it')
    .addOption(
      new Option('--max-flips <N|PERCENT>', 'how many requests may be decided otherwise')
        .argParser(parseMaxFlips)
        .default({ count: 0 }, '0'),
    );
  addFormatOptions(command)
    .addHelpText('after', EXIT_CODES)
    .action(async (file: string, options: ReplayOptions) => {
      process.exitCode = await replayDraft(file, options, terminal, Date.now());
    });
}

/** Replays and prints; gives the exit code. `nowMs`: what `--records` counts back from. */
export async function replayDraft(
  file: string,
  options: ReplayOptions,
  terminal: Terminal,
  nowMs: number,
): Promise<number> {
  const format = formatOf(options);
  const draft = await openDocument(file);
  if ('issues' in draft) return printIssues(draft.issues, file, format, terminal);
  let opponent: Opponent | undefined;
  try {
    const found = await opponentOf(options, draft.loaded.folder);
    opponent = found.opponent;
    return await judge(
      { draft, opponent, notes: [...draft.notes, ...found.notes] },
      options,
      terminal,
      nowMs,
    );
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (format === 'json') terminal.out(`${JSON.stringify({ passed: false, issues: error.issues })}\n`);
    else terminal.error(issuesText(error.issues));
    return EXIT.failed;
  } finally {
    await Promise.all([draft.snapshot.dispose(), opponent?.snapshot.dispose()]);
  }
}

interface Scene {
  readonly draft: Opponent;
  /** Undefined: the records are compared with what was decided then. */
  readonly opponent: Opponent | undefined;
  readonly notes: readonly string[];
}

async function judge(
  { draft, opponent, notes: before }: Scene,
  options: ReplayOptions,
  terminal: Terminal,
  nowMs: number,
): Promise<number> {
  const loaded = await loadReplay();
  const declared = declaredConsumers(draft.document);
  const against = opponent === undefined ? undefined : declaredConsumers(opponent.document);
  const world = {
    replay: loaded,
    listeners: draft.snapshot.listeners,
    consumers: [...declared, ...(against ?? [])],
  };
  const host = options.host ?? (hasHosts(draft) || hasHosts(opponent) ? undefined : ANY_HOST);
  const { records, source, faults } = await openRecords({ ...options, host }, nowMs, world);
  const { route, consumer, example } = options;
  const diff = await loaded.replay(draft.snapshot, records, {
    against: opponent?.snapshot,
    callers: loaded.callersOf(new PolicyCatalog(POLICIES), draft.document, opponent?.document),
    only: { route, consumer },
    example,
    onProgress: ({ records: count }) => {
      if (terminal.colours) terminal.error(`\r${count} records…`);
    },
  });
  if (terminal.colours) terminal.error('\r\u001b[K');
  const isPassed = isWithin(diff, options, loaded.comparedOf(diff));
  const notes = [...before, ...faults(), ...lacking(diff, source, options)];
  if (formatOf(options) === 'json') terminal.out(`${JSON.stringify({ passed: isPassed, ...diff, notes })}\n`);
  else terminal.out(`${textOf(diff, options, terminal)}${noteLines(notes)}`);
  return isPassed ? EXIT.ok : EXIT.failed;
}

/** Where no route asks for a host, any will do. */
const ANY_HOST = 'localhost';

function hasHosts(opponent: Opponent | undefined): boolean {
  const routes = listOf(opponent?.document.routes);
  return routes.some((route) => memberOf(memberOf(route, 'match'), 'hosts') !== undefined);
}

function textOf(diff: DecisionDiff, { example: id }: ReplayOptions, terminal: Terminal): string {
  if (id === undefined) return renderDiff(diff, terminal);
  return diff.example === undefined ? '' : renderExample(diff.example, terminal);
}

function lacking(
  { records, example }: DecisionDiff,
  source: string,
  { example: id }: ReplayOptions,
): readonly string[] {
  if (records === 0) return [`${source} has no requests of that time: nothing was replayed`];
  return id !== undefined && example === undefined
    ? [`${source} has no request "${id}" that was judged`]
    : [];
}

/** Whoever asks for one request asks for nothing else. An empty recording shows that nothing was looked at. */
function isWithin(diff: DecisionDiff, { maxFlips, example }: ReplayOptions, compared: number): boolean {
  if (example !== undefined) return diff.example !== undefined;
  if (diff.records === 0) return false;
  const { allowedToDenied, deniedToAllowed, moved } = diff.totals;
  const most = 'count' in maxFlips ? maxFlips.count : maxFlips.share * compared;
  return allowedToDenied + deniedToAllowed + moved <= most;
}

interface FoundOpponent {
  readonly opponent: Opponent | undefined;
  readonly notes: readonly string[];
}

/** What the draft is compared with. Asked for by name, it must be there; else it is what was decided then. */
async function opponentOf({ against, data }: ReplayOptions, folder: string): Promise<FoundOpponent> {
  if (against === 'recorded') return { opponent: undefined, notes: [] };
  if (against !== undefined && against !== 'active') return noted(await openFile(against));
  const kept = keptRevision(data);
  if (kept !== undefined) return noted(await openKept(kept, folder));
  if (against === 'active') {
    throw ConfigError.at('', `no revision was served from ${data} yet`, 'name its data folder with --data');
  }
  return { opponent: undefined, notes: [] };
}

const noted = (opponent: Opponent): FoundOpponent => ({ opponent, notes: opponent.notes });
