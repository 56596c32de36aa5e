import {
  ANY,
  type CodePointSet,
  complement,
  DIGIT,
  EMPTY,
  foldCase,
  intersects,
  NOT_LINE_TERMINATOR,
  propertySet,
  SPACE,
  union,
  WORD,
} from './code-point-set.ts';
import { type Node, RegexError } from './syntax.ts';

/** Longest pattern read, in UTF-16 units; more is a mistake or an attack on the compile step. */
const MAX_PATTERN_LENGTH = 16_384;
const MAX_DEPTH = 100;
/** `\\b` comes here only inside a class, where it is a backspace. */
const CONTROL_ESCAPES: Readonly<Record<string, number>> = { b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '0': 0 };

/**
 * Reads a pattern of ECMA-262 in its `u` mode, more leniently in one thing only: any ASCII punctuation may be
 * escaped. Flags: `i`, `s` and `u` (implied). Look-around, back-references and the `m`, `g`, `y`, `v` flags
 * are refused with RegexError.
 */
export function parseRegex(pattern: string, flags = ''): Node {
  if (pattern.length > MAX_PATTERN_LENGTH) throw new RegexError(pattern, 'the pattern is too long');
  if (!/^[isu]*$/.test(flags))
    throw new RegexError(pattern, `of the flags "${flags}" only i, s and u are known`);
  return new Reader(pattern, flags).read();
}

class Reader {
  readonly #pattern: string;
  readonly #ignoreCase: boolean;
  readonly #dot: CodePointSet;
  #at = 0;
  #depth = 0;

  constructor(pattern: string, flags: string) {
    this.#pattern = pattern;
    this.#ignoreCase = flags.includes('i');
    this.#dot = flags.includes('s') ? ANY : NOT_LINE_TERMINATOR;
  }

  read(): Node {
    const node = this.#choice();
    if (this.#at < this.#pattern.length) throw this.#error('unmatched ")"');
    return node;
  }

  #error(problem: string): RegexError {
    return new RegexError(this.#pattern, `${problem} at ${this.#at}`);
  }

  #peek(text: string): boolean {
    return this.#pattern.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    if (!this.#peek(text)) return false;
    this.#at += text.length;
    return true;
  }

  #choice(): Node {
    if (++this.#depth > MAX_DEPTH) throw this.#error('groups are nested too deep');
    const options = [this.#sequence()];
    while (this.#take('|')) options.push(this.#sequence());
    this.#depth--;
    return options.length === 1 ? options[0] : { kind: 'choice', options };
  }

  #sequence(): Node {
    const items: Node[] = [];
    while (this.#at < this.#pattern.length && !this.#peek('|') && !this.#peek(')')) items.push(this.#term());
    return items.length === 1 ? items[0] : { kind: 'sequence', items };
  }

  #term(): Node {
    if (this.#take('^')) return { kind: 'assert', at: 'start' };
    if (this.#take('$')) return { kind: 'assert', at: 'end' };
    if (this.#take('\\b')) return { kind: 'assert', at: 'word' };
    if (this.#take('\\B')) return { kind: 'assert', at: 'not-word' };
    return this.#quantified(this.#atom());
  }

  #atom(): Node {
    if (this.#take('(')) return this.#group();
    if (this.#take('[')) return { kind: 'set', set: this.#class() };
    if (this.#take('.')) return { kind: 'set', set: this.#dot };
    if (/[*+?{}\]]/.test(this.#pattern[this.#at])) throw this.#error('nothing to repeat, or a bare bracket,');
    return { kind: 'set', set: this.#folded(this.#character()) };
  }

  #group(): Node {
    if (this.#take('?')) {
      if (/^(?:=|!|<=|<!)/.test(this.#pattern.slice(this.#at, this.#at + 2))) {
        throw this.#error('look-around cannot be run in bounded time');
      }
      const named = /^<[A-Za-z_$][\w$]*>/.exec(this.#pattern.slice(this.#at, this.#at + 100));
      if (named) this.#at += named[0].length;
      else if (!this.#take(':')) throw this.#error('unknown kind of group');
    }
    const node = this.#choice();
    if (!this.#take(')')) throw this.#error('a group is not closed');
    return node;
  }

  #quantified(body: Node): Node {
    const bounds = this.#bounds();
    if (bounds === undefined) return body;
    this.#take('?'); // Lazy or greedy decides what is captured, never whether there is a match.
    const [min, max] = bounds;
    if (max < min) throw this.#error('a repeat runs backwards');
    return { kind: 'repeat', body, min, max };
  }

  #bounds(): [min: number, max: number] | undefined {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.#take('?')) return [0, 1];
    if (!this.#peek('{')) return undefined;
    const counted = /^\{(\d{1,7})(,?)(\d{0,7})\}/.exec(this.#pattern.slice(this.#at, this.#at + 20));
    if (!counted || (counted[2] === '' && counted[3] !== ''))
      throw this.#error('"{" begins no repeat: escape it');
    this.#at += counted[0].length;
    const min = Number(counted[1]);
    if (counted[2] === '') return [min, min];
    return [min, counted[3] === '' ? Number.POSITIVE_INFINITY : Number(counted[3])];
  }

  #folded(set: CodePointSet): CodePointSet {
    return this.#ignoreCase ? foldCase(set) : set;
  }

  #class(): CodePointSet {
    const negated = this.#take('^');
    let set: CodePointSet = EMPTY;
    while (!this.#take(']')) {
      if (this.#at >= this.#pattern.length) throw this.#error('a class is not closed');
      const from = this.#character();
      if (!this.#peek('-') || this.#peek('-]')) {
        set = union(set, from);
        continue;
      }
      this.#at++;
      set = union(set, this.#range(from, this.#character()));
    }
    const folded = this.#folded(set);
    return negated ? complement(folded) : folded;
  }

  #range(from: CodePointSet, to: CodePointSet): CodePointSet {
    const single = from.length === 2 && to.length === 2 && from[0] === from[1] && to[0] === to[1];
    if (!single || from[0] > to[0])
      throw this.#error('a range in a class runs backwards or has no single ends');
    return [from[0], to[0]];
  }

  /** One character or one class escape, as a set not yet folded. */
  #character(): CodePointSet {
    if (this.#at >= this.#pattern.length) throw this.#error('the pattern ends too early');
    if (!this.#take('\\')) {
      const point = this.#pattern.codePointAt(this.#at) ?? 0;
      this.#at += point > 0xffff ? 2 : 1;
      return [point, point];
    }
    const letter = this.#pattern[this.#at++];
    if (letter === undefined) throw this.#error('the pattern ends in "\\"');
    return this.#classEscape(letter) ?? this.#characterEscape(letter);
  }

  #classEscape(letter: string): CodePointSet | undefined {
    const positive = { d: DIGIT, w: WORD, s: SPACE }[letter.toLowerCase()];
    if (positive !== undefined) {
      return letter === letter.toLowerCase() ? positive : complement(this.#folded(positive));
    }
    if (letter !== 'p' && letter !== 'P') return undefined;
    const name = /^\{[\w=]{1,60}\}/.exec(this.#pattern.slice(this.#at, this.#at + 70));
    if (!name) throw this.#error('a property needs a name');
    this.#at += name[0].length;
    return this.#property(letter === 'P', name[0]);
  }

  #property(negated: boolean, name: string): CodePointSet {
    try {
      const set = this.#folded(propertySet(name));
      return negated ? complement(set) : set;
    } catch {
      throw this.#error(`unknown property ${name}`);
    }
  }

  #characterEscape(letter: string): CodePointSet {
    const control = CONTROL_ESCAPES[letter];
    if (control !== undefined && !(letter === '0' && /[0-9]/.test(this.#pattern[this.#at] ?? ''))) {
      return [control, control];
    }
    const point = letter === 'x' || letter === 'u' || letter === 'c' ? this.#coded(letter) : undefined;
    if (point !== undefined) return [point, point];
    if (/[0-9k]/.test(letter)) throw this.#error('back-references cannot be run in bounded time');
    if (!/[!-/:-@[-`{-~ ]/.test(letter)) throw this.#error(`unknown escape "\\${letter}"`);
    return [letter.charCodeAt(0), letter.charCodeAt(0)];
  }

  #coded(letter: string): number {
    const rest = this.#pattern.slice(this.#at, this.#at + 12);
    const pattern = { x: /^([0-9a-f]{2})/i, u: /^(?:([0-9a-f]{4})|\{([0-9a-f]{1,6})\})/i, c: /^([a-z])/i }[
      letter
    ];
    const found = pattern?.exec(rest);
    if (!found) throw this.#error(`"\\${letter}" needs its digits`);
    this.#at += found[0].length;
    const digits = found[1] ?? found[2];
    const point = letter === 'c' ? digits.charCodeAt(0) & 0x1f : Number.parseInt(digits, 16);
    if (!intersects(ANY, [point, point])) throw this.#error('a code point is out of range');
    return point < 0xd800 || point > 0xdbff ? point : this.#surrogatePair(point);
  }

  /** `\ud83d\ude00` is one code point in `u` mode. */
  #surrogatePair(high: number): number {
    const low = /^\\u(d[c-f][0-9a-f]{2})/i.exec(this.#pattern.slice(this.#at, this.#at + 6));
    if (!low) return high;
    this.#at += 6;
    return (high - 0xd800) * 0x400 + (Number.parseInt(low[1], 16) - 0xdc00) + 0x10000;
  }
}
