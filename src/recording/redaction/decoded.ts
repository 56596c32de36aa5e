/** How often what is encoded is decoded: links inside links. */
const MAX_ROUNDS = 3;
const ENCODED = /%[0-9A-Fa-f]{2}/;

/** A part of a query or path decoded, byte for byte as latin1. What is no percent-encoding stays as it is. */
export function decoded(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  return unescaped(text.replaceAll('+', ' '));
}

/** Decoded as often as it was encoded. Undefined where that goes on for too long: nobody knows what is in it. */
export function decodedWhole(text: string): string | undefined {
  let rest = text;
  for (let round = 0; ENCODED.test(rest); round++) {
    if (round === MAX_ROUNDS) return undefined;
    rest = unescaped(rest);
  }
  return rest;
}

const unescaped = (text: string): string =>
  text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
