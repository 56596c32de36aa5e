import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';

/** Who asks, and why. */
export interface AskedOptions {
  readonly as: string;
  readonly reason: string;
}

/** Adds `--as` and `--reason`. */
export const addAskedOptions = (command: Command, reason = 'why, for the audit'): Command =>
  addNameOption(command.option('--reason <TEXT>', reason, parseReason, ''));

/** Adds `--as` alone, where there is nothing to give a reason for. */
export const addNameOption = (command: Command): Command =>
  command.addOption(
    new Option('--as <NAME>', 'who you are: the gateway believes whoever holds its token')
      .argParser(parseName)
      .default(loginName(), 'your name on this machine'),
  );

export const askedOf = ({ as, reason }: AskedOptions): AskedOptions => ({ as, reason });

const MAX_REASON = 500;

function parseReason(text: string): string {
  if (text.length <= MAX_REASON) return text;
  throw new InvalidArgumentError(`It is longer than ${MAX_REASON} characters.`);
}

function parseName(text: string): string {
  if (/^[^\u0000-\u001f\u007f]{1,200}$/.test(text)) return text;
  throw new InvalidArgumentError('It is no name of at most 200 characters.');
}

/** A container may run as a number that has no name. */
function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? ''}`.trimEnd();
  }
}
