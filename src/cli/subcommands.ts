import type { Command } from 'commander';
import { nearest } from '../lib/suggest.ts';

/** Has each command, and those below it, name its own help behind an error. */
export function nameHelp(command: Command, path: string = command.name()): void {
  command.showHelpAfterError(`(${path} --help says more)`);
  for (const below of command.commands) nameHelp(below, `${path} ${below.name()}`);
}

/**
 * Refuses a misspelt word behind a command that has commands below it. Without this it would be an argument of the one
 * that is run by default, and the error would name a command that nobody typed. Also says where their options are.
 */
export function refuseMisspelt(group: Command): void {
  if (group.commands.length === 0) return;
  group.addHelpText(
    'after',
    `\n"sallyport ${group.name()} COMMAND --help" shows the arguments and options of each.\n`,
  );
  group.hook('preSubcommand', (_group, chosen) => {
    const names = group.commands.map((command) => command.name());
    const words = wordsOf(group.args);
    const [word] = words;
    if (word === undefined || names.includes(word) || words.length <= chosen.registeredArguments.length)
      return;
    const meant = nearest(word, names);
    const fix = meant === undefined ? '' : `\n(Did you mean ${meant}?)`;
    group.error(`error: unknown command '${word}'${fix}`, { code: 'commander.unknownCommand' });
  });
}

/** What stands before the first option. */
function wordsOf(args: readonly string[]): readonly string[] {
  const end = args.findIndex((arg) => arg.startsWith('-'));
  return end === -1 ? args : args.slice(0, end);
}
