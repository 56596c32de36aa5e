import { createRequire } from 'node:module';
import { compileRegex } from '../../lib/regex/index.ts';

/** Whether a text has the format. */
export type FormatTest = { readonly type: 'string'; readonly validate: (value: string) => boolean };

const HOSTNAME_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;
/** RFC 3339, appendix A; a part after `T` is demanded by hand. */
const DURATION = '^P(?:\\d+W|(?:\\d+Y)?(?:\\d+M)?(?:\\d+D)?(?:T(?:\\d+H)?(?:\\d+M)?(?:\\d+S)?)?)$';
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;

/** Formats of ajv-formats that are one pattern; ours runs it, so that none can blow up. */
const BY_PATTERN = [
  'email',
  'ipv4',
  'ipv6',
  'json-pointer',
  'json-pointer-uri-fragment',
  'relative-json-pointer',
  'uri-reference',
  'uri-template',
  'uuid',
] as const;
/** Formats of ajv-formats that are functions over short, fixed forms. */
const BY_FUNCTION = ['date', 'time', 'date-time', 'iso-time', 'iso-date-time'] as const;

/**
 * The formats a schema may name. `regex`, `url` and the annotations of OpenAPI (`byte`, `binary`, `password`) are
 * left out: the first two cannot be judged in bounded time, the others say nothing that can be judged.
 */
export function formats(): ReadonlyMap<string, FormatTest> {
  known ??= makeFormats();
  return known;
}

let known: ReadonlyMap<string, FormatTest> | undefined;

function makeFormats(): ReadonlyMap<string, FormatTest> {
  const { fullFormats }: typeof import('ajv-formats/dist/formats.js') = createRequire(import.meta.url)(
    'ajv-formats/dist/formats.js',
  );
  const made = new Map<string, FormatTest>();
  const add = (name: string, validate: (value: string) => boolean) =>
    made.set(name, { type: 'string', validate });
  for (const name of BY_PATTERN) {
    const format = fullFormats[name];
    if (!(format instanceof RegExp)) throw new TypeError(`format ${name} is not the pattern it was`);
    const matches = lazily(format.source, format.flags);
    const longest = LONGEST.get(name);
    add(name, longest === undefined ? matches : (text) => text.length <= longest && matches(text));
  }
  for (const name of BY_FUNCTION) {
    const format = fullFormats[name];
    if (typeof format !== 'object' || format instanceof RegExp || typeof format.validate !== 'function') {
      throw new TypeError(`format ${name} is not the function it was`);
    }
    const { validate } = format;
    add(
      name,
      (text) => text.length <= MAX_DATE_LENGTH && Reflect.apply(validate, undefined, [text]) === true,
    );
  }
  const uriReference = made.get('uri-reference');
  add('uri', (text) => SCHEME.test(text) && uriReference?.validate(text) === true);
  add('hostname', isHostname);
  const duration = lazily(DURATION, '');
  add('duration', (text) => text.length <= MAX_DATE_LENGTH && duration(text) && /\d[A-Z]$/.test(text));
  return made;
}

const MAX_DATE_LENGTH = 64;
/** Characters that a value of the format can have; what is longer has it not, whatever its pattern would take. */
const LONGEST: ReadonlyMap<string, number> = new Map([
  ['ipv4', 15],
  ['ipv6', 45],
  ['uuid', 45],
  ['email', 320],
]);

/** Compiles when first asked: a schema names few of the formats there are. */
function lazily(source: string, flags: string): (text: string) => boolean {
  let test: ((text: string) => boolean) | undefined;
  return (text) => {
    test ??= compileRegex(source, flags).test;
    return test(text);
  };
}

/** RFC 1123 §2.1, RFC 952. */
function isHostname(text: string): boolean {
  if (text.length > 253) return false;
  return text.split('.').every((label) => HOSTNAME_LABEL.test(label));
}
