import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Command, CommanderError } from 'commander';
import { nameHelp, refuseMisspelt } from './subcommands.ts';

/** What a command line comes to: the command that was run, or what was said on stderr. */
function outcomeOf(...words: string[]): string {
  let outcome = '';
  const add = (text: string): void => {
    outcome += text;
  };
  const program = new Command('sallyport').exitOverride().configureOutput({ writeErr: add });
  const group = program.command('things');
  const run = (name: string) => (): void => add(`ran ${name}`);
  group.command('list', { isDefault: true }).option('--limit <N>').action(run('list'));
  group.command('create').argument('<name>').action(run('create'));
  const lists = program.command('lists');
  lists.command('show', { isDefault: true }).argument('[name]').action(run('show'));
  lists.command('approve').argument('<name>').argument('<version>').action(run('approve'));
  nameHelp(program);
  for (const command of program.commands) refuseMisspelt(command);
  try {
    program.parse(['node', 'sallyport', ...words]);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
  }
  return outcome;
}

describe('a word behind a command that has commands below it', () => {
  const refused: readonly [words: string[], said: RegExp][] = [
    [
      ['things', 'creat', 'x'],
      /unknown command 'creat'\n\(Did you mean create\?\)\n\(sallyport things --help/,
    ],
    [['things', 'elephant'], /unknown command 'elephant'\n\(sallyport things --help says more\)/],
    [['things', 'creat', '--limit', '5'], /unknown command 'creat'/],
    [['lists', 'aprove', 'a', '1'], /unknown command 'aprove'\n\(Did you mean approve\?\)/],
    [['things', 'create'], /missing required argument 'name'\n\(sallyport things create --help says more\)/],
  ];
  for (const [words, said] of refused) {
    it(`is refused: ${words.join(' ')}`, () => {
      assert.match(outcomeOf(...words), said);
      assert.doesNotMatch(outcomeOf(...words), /ran /);
    });
  }

  const taken: readonly [words: string[], ran: string][] = [
    [['things'], 'list'],
    [['things', '--limit', '5'], 'list'],
    [['things', 'list'], 'list'],
    [['things', 'create', 'list'], 'create'],
    [['lists', 'approved'], 'show'],
    [['lists', 'approve', 'a', '1'], 'approve'],
  ];
  for (const [words, ran] of taken) {
    it(`is taken: ${words.join(' ')}`, () => assert.equal(outcomeOf(...words), `ran ${ran}`));
  }
});
