import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import type { Clock, Logger } from '../contract/index.ts';
import { redact } from './redact.ts';

export type LogLevel = 'info' | 'warn' | 'error';

export interface LoggerOptions {
  /** Takes one line with its line feed; must not block. See {@link stderrWriter}. */
  readonly write: (line: string) => void;
  readonly clock: Clock;
  /** On every line, e.g. `{ worker: 2 }`. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Lines below are left out. Default `info`. */
  readonly level?: LogLevel;
}

const SEVERITY: Readonly<Record<LogLevel, number>> = { info: 0, warn: 1, error: 2 };

/** The operator's log: JSON lines `{time, level, event, …}` without secrets. Logging never throws. */
export function createLogger(options: LoggerOptions): Logger {
  const least = SEVERITY[options.level ?? 'info'];
  const at =
    (level: LogLevel) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      if (SEVERITY[level] < least) return;
      options.write(formatLine(options, level, event, fields));
    };
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

function formatLine(
  { clock, fields: always = {} }: LoggerOptions,
  level: LogLevel,
  event: string,
  fields: Readonly<Record<string, unknown>>,
): string {
  const fixed = { time: new Date(clock.now()).toISOString(), level, event };
  // First for the reader's eye, and last so that no field can stand in their place.
  const line = { ...fixed, ...asFields(redact(always)), ...asFields(redact(fields)), ...fixed };
  return `${escapeControls(JSON.stringify(line))}\n`;
}

const asFields = (value: unknown): object =>
  typeof value === 'object' && value !== null ? value : { value };

/** JSON leaves DEL and C1 controls as they are; on some terminals these start escape sequences. */
const escapeControls = (text: string): string =>
  text.replace(/[\u007f-\u009f\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

const STDERR = 2;

/** Writes to stderr at once, so that the last line before an exit is there; a full pipe loses lines, never time. */
export function stderrWriter(): (line: string) => void {
  const fd = unblockedStderr();
  return (line) => {
    try {
      writeSync(fd, line);
    } catch {
      // Nobody is left to tell: the log itself cannot be written.
    }
  };
}

/** See `openLineTarget`: a pipe opened anew can refuse to block without changing our parent's own. */
function unblockedStderr(): number {
  try {
    if (fstatSync(STDERR).isFIFO()) return openSync('/dev/fd/2', constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    // What cannot be opened anew is used as it is.
  }
  return STDERR;
}
