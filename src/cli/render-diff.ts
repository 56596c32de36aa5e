import type { DocumentChange, ValueChange } from '../config/index.ts';
import { columns } from './columns.ts';
import { counted } from './options.ts';
import { type Colour, paint, printable, type Terminal } from './terminal.ts';

const SIGNS = Object.freeze({ added: '+', removed: '-', changed: '~', moved: '>' });
const COLOURS: Readonly<Record<DocumentChange['kind'], Colour>> = {
  added: 'green',
  removed: 'red',
  changed: 'yellow',
  moved: 'cyan',
};

/** So many values of one thing are shown, and so much of each; JSON has all. */
const [MAX_VALUES, MAX_LENGTH] = [20, 100];

/** Changes as a person reads them: one head for each thing, its values below. */
export function renderDiff(changes: readonly DocumentChange[], terminal: Terminal): string {
  const blocks = changes.map((change) => renderChange(change, terminal));
  return `${blocks.join('')}\n${summaryOf(changes)}\n`;
}

function renderChange(change: DocumentChange, terminal: Terminal): string {
  const { kind, subject, name, values } = change;
  const head = `${SIGNS[kind]} ${subject} ${name}${moveText(change)}`;
  const rows = values.slice(0, MAX_VALUES).map((value) => [`    ${value.path}`, valueText(value, kind)]);
  const lines = columns(rows)
    .split('\n')
    .filter((line) => line !== '');
  const rest =
    values.length > MAX_VALUES ? [`    and ${values.length - MAX_VALUES} more, which --json tells`] : [];
  const shown = lines.map((line, i) => paintValue(line, values[i], kind, terminal));
  return `${[paint(terminal, COLOURS[kind], printable(head)), ...shown, ...rest].join('\n')}\n`;
}

function moveText({ moved, was }: DocumentChange): string {
  const place = moved === undefined ? '' : `, asked as number ${moved.to + 1} instead of ${moved.from + 1}`;
  return `${place}${was === undefined ? '' : `, was ${was}: what it counts begins anew`}`;
}

function valueText(value: ValueChange, kind: DocumentChange['kind']): string {
  const { before, after } = value;
  if (kind !== 'changed') return textOf('after' in value ? after : before);
  if (!('before' in value)) return `+ ${textOf(after)}`;
  if (!('after' in value)) return `- ${textOf(before)}`;
  return `${textOf(before)} -> ${textOf(after)}`;
}

function paintValue(
  line: string,
  value: ValueChange | undefined,
  kind: DocumentChange['kind'],
  terminal: Terminal,
): string {
  if (value === undefined || kind !== 'changed') return line;
  if (!('before' in value)) return paint(terminal, 'green', line);
  return 'after' in value ? line : paint(terminal, 'red', line);
}

const PLAIN = /^[\w./:*@%{}()?…-]+$/;

function textOf(value: unknown): string {
  const text = typeof value === 'string' && PLAIN.test(value) ? value : JSON.stringify(value);
  return text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH)}…`;
}

function summaryOf(changes: readonly DocumentChange[]): string {
  const kinds = ['added', 'removed', 'changed', 'moved'] as const;
  const told = kinds.flatMap((kind) => {
    const count = changes.filter((change) => change.kind === kind).length;
    return count === 0 ? [] : [`${count} ${kind}`];
  });
  return `${counted(changes.length, 'difference')}: ${told.join(', ')}`;
}
