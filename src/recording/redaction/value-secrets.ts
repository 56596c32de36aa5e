import { holdsSecretShape } from '../../lib/secret-shapes.ts';
import { decodedWhole } from './decoded.ts';
import { isSecretMember, isSecretNumber, isSecretPair, isSecretText } from './secret-names.ts';

/** How deep texts may stand in texts (JSON in JSON, in base64, in a link) before nobody knows what is in them. */
const MAX_DEPTH = 4;

/** `https://token@host`: who stands there alone may be a password as well. */
const USER_INFO = /:\/\/[^\s/@?#"']+@/;
/** Credentials of Basic authentication (RFC 7617), however short. */
const BASIC = /\bbasic +([A-Za-z0-9+/]{4,}={0,2})/gi;
/** JSON in base64: `eyJ` is `{"`. */
const ENCODED_JSON = /(?<![\w+/-])eyJ[\w+/-]{4,}={0,2}/g;
/** What divides pairs in fields, links and texts. */
const PAIRS = /[;,&?#\s"']/;

/** Whether a text of nobody knows what holds a secret: by a shape, by a name, or in what is written inside it. */
export function holdsSecretValue(text: string, depth = 0): boolean {
  if (isTelltale(text, depth)) return true;
  if (!text.includes('%')) return false;
  const whole = decodedWhole(text);
  return whole === undefined || isTelltale(whole, depth);
}

function isTelltale(text: string, depth: number): boolean {
  if (holdsSecretShape(text) || USER_INFO.test(text) || holdsBasic(text)) return true;
  if (text.includes('=') && text.split(PAIRS).some(isSecretPair)) return true;
  if (text.includes('/') && holdsTold(text.split(/[/?#]/))) return true;
  return holdsJson(text, depth) || holdsEncodedJson(text, depth);
}

function holdsBasic(text: string): boolean {
  for (const [, credentials] of text.matchAll(BASIC))
    if (Buffer.from(credentials, 'base64').toString('latin1').includes(':')) return true;
  return false;
}

/** What begins as JSON and is none is a text like any other. */
function holdsJson(text: string, depth: number): boolean {
  const first = text.trimStart()[0];
  return (first === '{' || first === '[') && isJson(text) && jsonHoldsSecret(text, depth + 1);
}

/** JSON in base64, wherever in a text. */
export function holdsEncodedJson(text: string, depth = 0): boolean {
  if (!text.includes('eyJ')) return false;
  for (const [encoded] of text.matchAll(ENCODED_JSON)) {
    const json = Buffer.from(encoded, 'base64').toString('latin1');
    if (holdsSecretShape(json) || (isJson(json) && jsonHoldsSecret(json, depth + 1))) return true;
  }
  return false;
}

/** A text of JSON, and what follows it where that could make it a member's name with a value. */
const JSON_TEXT = /"((?:[^"\\]|\\.)*)"(?:\s*:\s*(?:(?=(["{[\d-]))|))?/g;

/**
 * Looks at every name and every text as they stand: of a name that is there twice, a parser shows the last value only.
 * What is not JSON cannot be looked through.
 */
export function jsonHoldsSecret(text: string, depth = 0): boolean {
  if (depth > MAX_DEPTH || !isJson(text)) return true;
  for (const match of text.matchAll(JSON_TEXT)) {
    const [, written, value] = match;
    const plain = written.includes('\\') ? unquoted(written) : written;
    if (holdsSecretValue(plain, depth)) return true;
    if (value !== undefined && isSecretMember(plain) && isSecretMemberValue(plain, value, text, match))
      return true;
  }
  return false;
}

/** `value`: the first character of it. */
function isSecretMemberValue(name: string, value: string, text: string, match: RegExpExecArray): boolean {
  if (value === '"') return isSecretText(name) && text[match.index + match[0].length + 1] !== '"';
  if (value === '{' || value === '[') return true;
  return isSecretNumber(name);
}

function unquoted(written: string): string {
  const plain: unknown = JSON.parse(`"${written}"`);
  return typeof plain === 'string' ? plain : written;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Segments that say what follows them: links that are sent to one person, and open something. */
const TELLS_NEXT =
  /passw|token|secret|reset|verif|invit|magic|activat|confirm|session|unsubscribe|one-?time|otp|api[-_]?key/i;
/** Of these all that follows is told: `/hooks/catch/…`. */
const TELLS_ALL = /^(?:web)?hooks?$/i;
const MIN_TOLD = 16;
/** The key of a bot in a path. */
const BOT = /^bot\d+:[\w-]{20,}/i;

/** Which segments of a path are secrets by themselves, or by those before them: by their place. */
export function toldSegments(segments: readonly string[]): readonly boolean[] {
  let isTold = false;
  return segments.map((segment, i) => {
    const before = i === 0 ? '' : segments[i - 1];
    isTold ||= TELLS_ALL.test(before);
    if (BOT.test(segment)) return true;
    const isLong = segment.length >= MIN_TOLD && /\d/.test(segment);
    return isLong && (isTold || TELLS_NEXT.test(before));
  });
}

const holdsTold = (segments: readonly string[]): boolean => toldSegments(segments).includes(true);

/** Whether a path may have anything that `toldSegments` finds. */
export const isTelling = (path: string): boolean => TELLS_NEXT.test(path) || HOOK_OR_BOT.test(path);
const HOOK_OR_BOT = /\/(?:(?:web)?hooks?\/|bot\d)/i;
