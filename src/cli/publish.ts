import { statSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { loadDiff, loadDocument } from '../config/index.ts';
import type { ConfigIssue } from '../errors.ts';
import {
  AdminApi,
  AdminError,
  type AdminOptions,
  addAdminOptions,
  adminToken,
  expectAnswer,
} from './admin-client.ts';
import { type AskedOptions, addAskedOptions } from './asking-as.ts';
import { openRevision } from './diff-side.ts';
import {
  exitCodeOf,
  type FollowDeps,
  followRollout,
  isForPeople,
  ROLLOUT_EXIT,
  ROLLOUT_EXIT_HELP,
} from './follow-rollout.ts';
import { readNamedFile } from './named-file.ts';
import { renderDiff } from './render-diff.ts';
import { renderFindings } from './render-findings.ts';
import { renderIssues } from './render-issues.ts';
import { StartedAnswer } from './rollout-answer.ts';
import { paint, printable, processTerminal, type Terminal } from './terminal.ts';

interface PublishOptions extends AdminOptions, AskedOptions {
  readonly expect?: string;
  readonly wait: boolean;
}

/** `sallyport publish FILE`. */
export function addPublishCommand(program: Command, terminal: Terminal = processTerminal()): void {
  const publish = program
    .command('publish')
    .summary('take a document on its way to live')
    .description(
      'Gives a document to a running gateway, which checks it, runs its tests and takes it on the way that its ' +
        '"rollout" says; without one it is live at once. Shows what becomes of it until it has ended. Files that the ' +
        'document names are those beside the document of the gateway.',
    )
    .argument('<FILE|DIR>', 'the document; - for stdin')
    .option('--expect <REVISION>', 'only while this revision is live, by all its 64 digits', parseRevision)
    .option('--no-wait', 'return once it is on its way');
  addAskedOptions(publish);
  addAdminOptions(publish, ROLLOUT_EXIT_HELP).action(async (file: string, options: PublishOptions) => {
    const isText = isForPeople(publish, options, terminal);
    process.exitCode = await publishFile(file, options, { terminal, isText, wait: options.wait });
  });
}

function parseRevision(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError('It is no revision: those have 64 digits.');
}

async function publishFile(file: string, options: PublishOptions, deps: PublishDeps): Promise<number> {
  const text = await documentText(file);
  const api = new AdminApi(options.admin, adminToken(options.data, process.env));
  const { code } = await publishText(api, { text, name: file, ...options }, deps);
  return code;
}

export interface Publication extends AskedOptions {
  readonly text: string;
  /** Stands for the document in messages. */
  readonly name: string;
  readonly expect?: string;
}

export interface PublishDeps extends FollowDeps {
  /** Whether it is shown until it has ended. */
  readonly wait: boolean;
  /** Called as soon as the gateway has it. */
  readonly onTaken?: () => void;
}

export interface PublishEnd {
  /** What the command exits with. */
  readonly code: number;
  /** Why the gateway did not take it, as a word; '' where none answered, undefined where it did. */
  readonly problem: string | undefined;
}

/** Publishes, and shows what becomes of it. Never rejects with AdminError. */
export async function publishText(
  api: AdminApi,
  { text, name, expect, as, reason }: Publication,
  deps: PublishDeps,
): Promise<PublishEnd> {
  const { terminal, isText } = deps;
  try {
    const query = new URLSearchParams({ as, reason });
    const answer = await api.postDocument(`/api/rollouts?${query}`, text, expect);
    const { findings = [], ...started } = expectAnswer(StartedAnswer, answer);
    const { outcome, revision, rollout } = started;
    deps.onTaken?.();
    const told = findings.map(atHome);
    const json = `${JSON.stringify({ ...started, findings: told })}\n`;
    if (isText) terminal.error(renderFindings(told, name, () => text, terminal));
    if (rollout === null) {
      const how = outcome === 'unchanged' ? 'is live already' : 'is live';
      terminal.out(isText ? `${revision.slice(0, 12)} ${how}\n` : json);
      return taken(ROLLOUT_EXIT.active);
    }
    if (deps.wait) return taken(exitCodeOf(await followRollout(api, rollout, deps)));
    const hint = `on its way as rollout ${rollout}; "sallyport rollout watch" shows it\n`;
    terminal.out(isText ? hint : json);
    return taken(ROLLOUT_EXIT.open);
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    tellRefusal(error, { text, name }, deps);
    if (error.code === 'precondition-failed' && expect !== undefined) await tellChanges(api, expect, deps);
    return { code: ROLLOUT_EXIT.failed, problem: error.code ?? '' };
  }
}

const taken = (code: number): PublishEnd => ({ code, problem: undefined });

/** The document as text; of a folder, its parts as one. @throws ConfigError */
export async function documentText(file: string): Promise<string> {
  if (file !== '-' && statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
    return JSON.stringify((await loadDocument(file)).document);
  }
  return readNamedFile(file);
}

/** Who sent a document knows its file; the gateway does not. */
function tellRefusal(
  error: AdminError,
  { text, name }: Pick<Publication, 'name' | 'text'>,
  { terminal, isText }: FollowDeps,
): void {
  const { code, status, message } = error;
  const issues = error.issues?.map(atHome);
  if (!isText) {
    const detail = { code, status, detail: message, issues };
    terminal.out(`${JSON.stringify({ error: detail })}\n`);
    return;
  }
  if (issues !== undefined) terminal.error(renderIssues(issues, name, () => text, terminal));
  const word = code === undefined ? 'error' : 'refused';
  terminal.error(`${paint(terminal, 'red', word)}: ${printable(message)}\n`);
}

/** What has to be merged: how what is live differs from what somebody built on. */
async function tellChanges(api: AdminApi, expected: string, { terminal, isText }: FollowDeps): Promise<void> {
  try {
    const from = await openRevision(api, { kind: 'prefix', prefix: expected });
    const to = await openRevision(api, { kind: 'active' });
    const changes = (await loadDiff()).diffDocuments(from, to);
    if (!isText) terminal.out(`${JSON.stringify({ from: from.name, to: to.name, changes })}\n`);
    else
      terminal.error(`\nWhat changed since ${from.name.slice(0, 12)}:\n\n${renderDiff(changes, terminal)}`);
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    const isLost = error.code === 'not-found';
    const why = isLost ? 'The expected revision is not kept here, so there is no diff.' : error.message;
    if (isText) terminal.error(`${printable(why)}\n`);
  }
}

/** `document` is what the gateway calls it. */
const atHome = <T extends Pick<ConfigIssue, 'file'>>({ file: _, ...told }: T): Omit<T, 'file'> => told;
