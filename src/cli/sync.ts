import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { ConfigError } from '../errors.ts';
import { AdminApi, type AdminOptions, addAdminOptions, adminToken } from './admin-client.ts';
import { type Checkout, type Fate, openCheckout, type Published } from './checkout.ts';
import { type FollowDeps, isForPeople, ROLLOUT_EXIT, ROLLOUT_EXIT_HELP } from './follow-rollout.ts';
import { issuesText } from './issues-text.ts';
import { parseDurationMs } from './options.ts';
import { documentText, publishText } from './publish.ts';
import { printable, processTerminal, type Terminal } from './terminal.ts';

interface SyncOptions extends AdminOptions {
  readonly config?: string;
  readonly once: boolean;
  readonly every: number;
}

const NAMES = ['gateway.yaml', 'gateway.yml', 'gateway.json'];

/** `sallyport sync DIR`. */
export function addSyncCommand(program: Command, terminal: Terminal = processTerminal()): void {
  const sync = program
    .command('sync')
    .summary('publish what a Git checkout holds, whenever it changes')
    .description(
      'Publishes the document of a folder to a running gateway whenever it changes, and shows what becomes of it. Of a ' +
        'Git checkout each commit is published once, with its subject as the reason and its author as who asks; what is ' +
        'not committed is not published. It fetches nothing: something else has to bring the checkout up to date. ' +
        'Without Git the content alone counts.',
    )
    .argument('<DIR>', 'the checkout')
    .option('-c, --config <FILE|DIR>', 'the document in it (default: gateway.yaml, or the folder itself)')
    .option('--once', 'publish what is there now, if it is new, and return', false)
    .addOption(
      new Option('--every <DURATION>', 'how often to look').argParser(parseDurationMs).default(5000, '5s'),
    );
  addAdminOptions(sync, ROLLOUT_EXIT_HELP).action(async (dir: string, options: SyncOptions) => {
    const isText = isForPeople(sync, options, terminal);
    process.exitCode = await syncFolder(dir, options, { terminal, isText });
  });
}

async function syncFolder(dir: string, options: SyncOptions, deps: FollowDeps): Promise<number> {
  const document = documentIn(dir, options.config);
  const text = () => documentText(document);
  const checkout = await openCheckout(resolve(dir), document, text);
  const api = new AdminApi(options.admin, adminToken(options.data, process.env));
  const sync = new Sync(checkout, api, { ...deps, document, text });
  if (options.once) return await sync.look();
  for (;;) {
    await sync.look();
    await delay(options.every);
  }
}

function documentIn(dir: string, config: string | undefined): string {
  if (config !== undefined) return resolve(dir, config);
  const name = NAMES.find((one) => existsSync(resolve(dir, one)));
  return name === undefined ? resolve(dir) : resolve(dir, name);
}

export interface SyncDeps extends FollowDeps {
  /** Path of the document, for messages. */
  readonly document: string;
  readonly text: () => Promise<string>;
}

/** Looks at a checkout, and publishes what is new in it. */
export class Sync {
  readonly #checkout: Checkout;
  readonly #api: AdminApi;
  readonly #deps: SyncDeps;
  #told = '';

  constructor(checkout: Checkout, api: AdminApi, deps: SyncDeps) {
    this.#checkout = checkout;
    this.#api = api;
    this.#deps = deps;
  }

  /** Gives the exit code of what was done; 0 where there is nothing new. */
  async look(): Promise<number> {
    try {
      return await this.#look();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#tell(issuesText(error.issues).trimEnd());
      return ROLLOUT_EXIT.failed;
    }
  }

  async #look(): Promise<number> {
    const { mark, author, reason, isDirty } = await this.#checkout.state();
    const { document, text: read } = this.#deps;
    if (isDirty) {
      this.#tell(`${document} has changes that are not committed: nothing is published`);
      return ROLLOUT_EXIT.failed;
    }
    const before = this.#checkout.published();
    if (mark === before?.mark) return this.#again(before);
    const text = await read();
    // What was read has to be what the commit says.
    if ((await this.#checkout.state()).mark !== mark) return await this.#look();
    const as = clean(author ?? 'sync', 200);
    const why = clean(author === undefined ? reason : `${reason} (${mark.slice(0, 12)})`, 500);
    const publication = { text, name: document, as, reason: why };
    // At once: a commit that is rolled back while nobody looks is not to come again.
    const onTaken = () => this.#checkout.remember({ mark, fate: 'taken' });
    const { code, problem } = await publishText(this.#api, publication, {
      ...this.#deps,
      wait: true,
      onTaken,
    });
    // One that was refused is not offered again either: only another commit changes it. What never arrived is.
    const fate = fateOf(code, problem);
    if (fate !== undefined) this.#checkout.remember({ mark, fate });
    // What became of it was just told.
    this.#told = fate === undefined ? '' : this.#unchanged({ mark, fate });
    return code;
  }

  /** What did not go live is not live for being asked for again. */
  #again(published: Published): number {
    if (published.fate === 'taken') return ROLLOUT_EXIT.active;
    this.#tell(this.#unchanged(published));
    return ROLLOUT_EXIT.failed;
  }

  #unchanged({ mark, fate }: Published): string {
    const became = fate === 'refused' ? 'was refused' : 'ended before it was live';
    return `${this.#deps.document} of ${mark.slice(0, 12)} ${became}: it is published again once it changes`;
  }

  /** Once for as long as it is so. */
  #tell(message: string): void {
    if (message === this.#told) return;
    this.#told = message;
    const { terminal, isText } = this.#deps;
    if (isText) terminal.error(`${printable(message)}\n`);
    else terminal.out(`${JSON.stringify({ error: { detail: message } })}\n`);
  }
}

/** Refusals that the same document gets again. */
const SETTLED: ReadonlySet<string> = new Set(['invalid-document', 'malformed-request', 'payload-too-large']);

/** How a publication ended that is not to be tried again; undefined where it is live, on its way, or nobody knows. */
function fateOf(code: number, problem: string | undefined): Fate | undefined {
  if (problem !== undefined) return SETTLED.has(problem) ? 'refused' : undefined;
  return code === ROLLOUT_EXIT.failed ? 'ended' : undefined;
}

const clean = (text: string, length: number): string =>
  text.replace(/[\u0000-\u001f\u007f]/g, ' ').slice(0, length) || 'sync';
