/** Where a command writes, and what it may use of colour. */
export interface Terminal {
  out(text: string): void;
  error(text: string): void;
  readonly colours: boolean;
  /** Whether a person looks at `out` as it is written, so that lines may be written over. */
  readonly isLive?: boolean;
}

/** The process's own streams. Colours only where a person looks and does not forbid them (no-color.org). */
export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  return {
    out: (text) => write(stdout, text),
    error: (text) => write(stderr, text),
    isLive: stdout.isTTY === true && env.TERM !== 'dumb',
    colours: stdout.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb',
  };
}

/** A reader that has seen enough (`| head`) is no failure: what it does not take is dropped. */
function write(stream: NodeJS.WriteStream, text: string): void {
  if (!stream.listeners('error').includes(outlive)) stream.on('error', outlive);
  stream.write(text);
}

function outlive(error: Error): void {
  if (!('code' in error) || error.code !== 'EPIPE') throw error;
}

const CODES = Object.freeze({ red: 31, green: 32, yellow: 33, cyan: 36, bold: 1, dim: 2 });

export type Colour = keyof typeof CODES;

/** Text in a colour, or as it is where there are none. */
export function paint(terminal: Terminal, colour: Colour, text: string): string {
  return terminal.colours ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text;
}

/** Text from a document as it may be printed: control characters could rewrite the terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}
