/** Deterministic pseudo-random numbers (mulberry32): a seed names a run. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }

  /** True once in `n`. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }
}

const METHODS = [
  'GET',
  'POST',
  'PUT',
  'HEAD',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'CONNECT',
  'get',
  'FOO',
  'PRI',
];
const TARGETS = [
  '/',
  '/a/b?c=d',
  '*',
  'http://h/x',
  'http://h',
  '/%2e%2e/',
  '/a b',
  '/é',
  '//',
  'h:80',
  '?x',
  '/a#b',
];
const VERSIONS = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'http/1.1',
  'HTTP/1.1 ',
];
const EOLS = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n'];
const COLONS = [': ', ': ', ': ', ':', ':\t', ' : ', ':  ', ': \t '];
const LENGTHS = [
  '5',
  '0',
  '05',
  '+5',
  '5 ',
  '5,5',
  '5, 6',
  '-1',
  '0x5',
  '',
  '18446744073709551621',
  '5\t',
  '٥',
  '1e1',
];
const CODINGS = [
  'chunked',
  'Chunked',
  'chunked ',
  'gzip, chunked',
  'chunked, gzip',
  'chunked, chunked',
  'identity',
  ' chunked',
  'xchunked',
  'chunked;q=1',
  ',chunked',
  'chunked,',
  '"chunked"',
  'chunked\x0b',
  '',
];
const CONNECTIONS = [
  'close',
  'keep-alive',
  'upgrade',
  'close, x',
  'keep-alive, upgrade',
  'content-length',
  'host',
  ',,',
  '',
];
type Field = readonly [string, string];
const SOUND: readonly Field[] = [
  ['X-Plain', 'v'],
  ['x-empty', ''],
  ['X-Eight', 'caf\xe9'],
  ['X-Tab', 'a\tb'],
  ['Trailer', 'X-T'],
  ['TE', 'trailers'],
  ['Cookie', 'a=b'],
  ['Proxy-Connection', 'keep-alive'],
  ['Expect', '100-continue'],
  ['Content_Length', '3'],
  ['Transfer_Encoding', 'chunked'],
  ['Upgrade', 'websocket'],
];
const STRANGE: readonly Field[] = [
  ['X-Nul', 'a\x00b'],
  ['X-Vt', 'a\x0bb'],
  ['X-Del', 'a\x7fb'],
  ['Content-Length\t', '3'],
  ['Content Length', '3'],
  ['', 'v'],
  ['Upgrade', 'h2c'],
  ['Expect', 'other'],
  ['Host', 'second'],
  ['X-Fold', 'a\r\n b'],
  ['@bad', 'v'],
];
const CHUNK_EXTENSIONS = [
  '',
  '',
  '',
  '',
  ';a',
  ';a=b',
  ';a="b c"',
  ';',
  ' ;a',
  ';a\n',
  ';a=',
  ';a="b',
  ';a="\\""',
  '\t',
  ' ',
];
const TRAILERS = [
  '',
  '',
  '',
  'X-T: v\r\n',
  'Content-Length: 9\r\n',
  'X-T : v\r\n',
  ' fold\r\n',
  'X-T: v\n',
  'X-T\r\n',
];

const eol = (dice: Dice): string => (dice.oneIn(3) ? dice.pick(EOLS) : '\r\n');

function fields(dice: Dice, framing: readonly string[]): string {
  const lines = [...framing];
  for (let i = dice.below(4); i > 0; i--) {
    const [name, value] = dice.pick(dice.oneIn(8) ? STRANGE : SOUND);
    lines.splice(dice.below(lines.length + 1), 0, `${name}: ${value}`);
  }
  if (dice.oneIn(4)) lines.push(`Connection: ${dice.pick(CONNECTIONS)}`);
  return lines.map((line) => respelled(dice, line) + (dice.oneIn(40) ? dice.pick(EOLS) : '\r\n')).join('');
}

/** Another spelling of a field line: other case, other space around the colon. */
function respelled(dice: Dice, line: string): string {
  if (!dice.oneIn(8)) return line;
  const colon = line.indexOf(': ');
  const name = line.slice(0, colon);
  const value = line.slice(colon + 2);
  return `${dice.pick([name, name.toUpperCase(), name.toLowerCase()])}${dice.pick(COLONS)}${value}`;
}

/** A chunked body, mostly sound. */
export function chunkedBody(dice: Dice): string {
  let text = '';
  for (let i = dice.below(4); i > 0; i--) {
    const data = dice.pick(['hello', 'a', '0\r\n\r\nGET / HTTP/1.1\r\n\r\n', '\r\n', '1234567890abcdef']);
    const size = data.length.toString(16);
    const line = dice.oneIn(8)
      ? dice.pick([`0${size}`, `0x${size}`, `+${size}`, size.toUpperCase(), ` ${size}`, `${size}0`])
      : size;
    const extension = dice.oneIn(4) ? dice.pick(CHUNK_EXTENSIONS) : '';
    text +=
      line + extension + (dice.oneIn(12) ? eol(dice) : '\r\n') + data + (dice.oneIn(12) ? eol(dice) : '\r\n');
  }
  if (dice.oneIn(12)) return text;
  return `${text}${dice.pick(['0', '0', '0', '000', '00;a=b'])}\r\n${dice.pick(TRAILERS)}\r\n`;
}

interface Framing {
  readonly lines: readonly string[];
  readonly body: string;
}

function framing(dice: Dice): Framing {
  const body = 'hello';
  switch (dice.below(14)) {
    case 0:
      return { lines: [`Content-Length: ${dice.pick(LENGTHS)}`], body };
    case 1:
    case 2:
      return { lines: ['Transfer-Encoding: chunked'], body: chunkedBody(dice) };
    case 3:
      return { lines: [`Transfer-Encoding: ${dice.pick(CODINGS)}`], body: chunkedBody(dice) };
    case 4:
      return {
        lines: ['Transfer-Encoding: chunked', `Content-Length: ${dice.pick(LENGTHS)}`],
        body: chunkedBody(dice),
      };
    case 5:
      return {
        lines: [`Content-Length: ${dice.pick(LENGTHS)}`, `Content-Length: ${dice.pick(LENGTHS)}`],
        body,
      };
    case 6:
    case 7:
    case 8:
      return { lines: ['Content-Length: 5'], body };
    case 9:
    case 10:
    case 11:
      return { lines: ['Transfer-Encoding: chunked'], body: chunkedBody(dice) };
    default:
      return { lines: [], body: '' };
  }
}

/** One to three requests on one connection, each a little wrong now and then. */
export function requests(dice: Dice): string {
  let text = '';
  for (let i = 1 + dice.below(3); i > 0; i--) {
    const { lines, body } = framing(dice);
    const method = dice.oneIn(6) ? dice.pick(METHODS) : dice.pick(['GET', 'POST']);
    const target = dice.oneIn(6) ? dice.pick(TARGETS) : '/';
    const version = dice.oneIn(10) ? dice.pick(VERSIONS) : 'HTTP/1.1';
    const host = dice.oneIn(20) ? [] : ['Host: h'];
    text += `${dice.oneIn(30) ? dice.pick(EOLS) : ''}${method} ${target} ${version}\r\n${fields(dice, [...host, ...lines])}\r\n${body}`;
  }
  return text;
}

const STATUS_LINES = [
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200',
  'HTTP/1.1 200 ',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 204 No Content',
  'HTTP/1.1 304 Not Modified',
  'HTTP/1.1 404 caf\xe9',
  'HTTP/1.1 600 x',
  'HTTP/1.1 099 x',
  'HTTP/1.1  200 OK',
  'HTTP/2.0 200 OK',
  'HTTP/1.1 2000 OK',
  'http/1.1 200 OK',
  'ICY 200 OK',
];

/** Possibly some 1xx, then an answer, each a little wrong now and then. */
export function response(dice: Dice): string {
  const { lines, body } = framing(dice);
  const interim = dice.oneIn(8)
    ? dice.pick(['HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n'])
    : '';
  const start = dice.oneIn(5) ? dice.pick(STATUS_LINES) : 'HTTP/1.1 200 OK';
  return `${interim}${start}\r\n${fields(dice, lines)}\r\n${body}${dice.oneIn(6) ? 'more' : ''}`;
}

const BYTES = [
  '\x00',
  '\t',
  '\n',
  '\x0b',
  '\r',
  ' ',
  ':',
  ';',
  ',',
  '0',
  'a',
  '\x7f',
  '\x80',
  '\xff',
  '\r\n',
  '\r\n\r\n',
  '_',
];

/** The same bytes with up to `most` of them changed, doubled, moved or lost. */
export function mutated(dice: Dice, text: string, most: number): string {
  let result = text;
  for (let i = dice.below(most + 1); i > 0; i--) {
    const at = dice.below(result.length + 1);
    const span = 1 + dice.below(6);
    const before = result.slice(0, at);
    const after = result.slice(at);
    switch (dice.below(5)) {
      case 0:
        result = before + dice.pick(BYTES) + after;
        break;
      case 1:
        result = before + dice.pick(BYTES) + after.slice(1);
        break;
      case 2:
        result = before + after.slice(span);
        break;
      case 3:
        result = before + after.slice(0, span) + after;
        break;
      default:
        result = before + String.fromCharCode(dice.below(256)) + after.slice(1);
    }
  }
  return result;
}
