import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { ConfigError } from '../errors.ts';

const run = promisify(execFile);

/** What a folder holds at one moment, and how it came to be. */
export interface CheckoutState {
  /** Differs whenever the document may. */
  readonly mark: string;
  /** Why and by whom, where a commit says so. */
  readonly reason: string;
  readonly author: string | undefined;
  /** Whether there are changes that are not committed: they are nobody's yet. */
  readonly isDirty: boolean;
}

/** What became of what was published: it was taken on its way, it was refused, or its way ended before it was live. */
const FATES = ['taken', 'refused', 'ended'] as const;
export type Fate = (typeof FATES)[number];

/** What was published last. */
export interface Published {
  readonly mark: string;
  readonly fate: Fate;
}

/** A folder whose document is published when it changes. */
export interface Checkout {
  state(): Promise<CheckoutState>;
  /** Undefined where nobody remembers. */
  published(): Published | undefined;
  remember(published: Published): void;
}

/**
 * A folder as the `git` command knows it; where there is none, or it is no checkout, what counts is its content alone.
 * `text`: reads the document.
 */
export async function openCheckout(
  dir: string,
  document: string,
  text: () => Promise<string>,
): Promise<Checkout> {
  const gitDir = await git(dir, 'rev-parse', '--absolute-git-dir').catch((error: unknown) =>
    noCheckout(dir, error),
  );
  return gitDir === undefined ? new PlainFolder(text) : new GitCheckout(dir, relative(dir, document), gitDir);
}

/**
 * Nothing that a repository's own settings name is run. Its own rule that a checkout of somebody else is not trusted
 * stands.
 */
const QUIET = [
  '-c',
  'core.fsmonitor=false',
  '-c',
  'core.hooksPath=/dev/null',
  '-c',
  'log.showSignature=false',
];
const TIMEOUT_MS = 30_000;

const ENVIRONMENT = Object.freeze({ GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' });

/** Rejects with ConfigError, or the system's error where there is no such command. */
async function git(dir: string, ...args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run('git', ['-C', dir, ...QUIET, ...args], {
      timeout: TIMEOUT_MS,
      env: { ...process.env, ...ENVIRONMENT },
    });
    return stdout.trimEnd();
  } catch (error) {
    if (!(error instanceof Error) || !('stderr' in error) || error.stderr === '') throw error;
    throw ConfigError.at('', `git says of ${dir}: ${String(error.stderr).trim()}`);
  }
}

/**
 * Only where git is sure that this is none of its own: what it cannot read may be a checkout, and what is not committed in
 * it is not to be published.
 */
function noCheckout(dir: string, error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  const isSure = error instanceof ConfigError && error.message.includes('not a git repository');
  if (isSure && !existsSync(join(dir, '.git'))) return undefined;
  throw error;
}

/** Beside what git keeps, so that the checkout itself stays as it is. */
const MEMORY = 'sallyport-published';

class GitCheckout implements Checkout {
  readonly #dir: string;
  readonly #path: string;
  readonly #memory: string;

  constructor(dir: string, path: string, gitDir: string) {
    this.#dir = dir;
    this.#path = path === '' ? '.' : path;
    this.#memory = join(gitDir, MEMORY);
  }

  async state(): Promise<CheckoutState> {
    const format = '--format=%H%x00%an <%ae>%x00%s';
    const hasCommits = await git(this.#dir, 'rev-parse', '--verify', '--quiet', 'HEAD').catch(() => '');
    const log = hasCommits === '' ? '' : await git(this.#dir, 'log', '-1', format, '--', this.#path);
    const status = await git(this.#dir, 'status', '--porcelain', '--', this.#path);
    const [mark = '', author, reason = ''] = log.split('\0');
    return { mark, author: mark === '' ? undefined : author, reason, isDirty: mark === '' || status !== '' };
  }

  published(): Published | undefined {
    try {
      const [mark = '', word] = readFileSync(this.#memory, 'utf8').trim().split(' ');
      return { mark, fate: FATES.find((fate) => fate === word) ?? 'taken' };
    } catch {
      return undefined;
    }
  }

  remember({ mark, fate }: Published): void {
    writeFileSync(this.#memory, `${mark} ${fate}\n`, { mode: 0o600 });
  }
}

class PlainFolder implements Checkout {
  readonly #text: () => Promise<string>;
  #published: Published | undefined;

  constructor(text: () => Promise<string>) {
    this.#text = text;
  }

  async state(): Promise<CheckoutState> {
    const mark = createHash('sha256')
      .update(await this.#text())
      .digest('hex');
    return { mark, reason: '', author: undefined, isDirty: false };
  }

  published(): Published | undefined {
    return this.#published;
  }

  remember(published: Published): void {
    this.#published = published;
  }
}
