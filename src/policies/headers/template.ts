import type { PolicyContext } from '../../contract/index.ts';
import { isFieldValue } from '../../http1/index.ts';
import { fieldPart } from '../../identity/index.ts';
import { VARIABLES } from './schema.ts';

/** A header's value, made for one request. Throws where the result is nothing a header can carry. */
export type Template = (c: PolicyContext) => string;

type Variable = (typeof VARIABLES)[number];

const READERS: Readonly<Record<Variable, Template>> = {
  'request.id': (c) => c.request.id,
  'request.method': (c) => c.request.method,
  'request.host': (c) => c.request.host,
  'request.path': (c) => c.request.path,
  client: (c) => c.request.client.text,
  consumer: (c) => fieldPart(c.facts.identity?.consumer ?? ''),
  route: (c) => c.route.name,
  listener: (c) => c.route.listener,
};

const isVariable = (name: string): name is Variable => VARIABLES.some((known) => known === name);

/** Compiles `a ${name} b`; a string says what is wrong with the text. */
export function compileTemplate(text: string): { readonly template: Template } | string {
  if (!isFieldValue(text)) return 'the value has characters that a header cannot carry';
  const parts: (string | Template)[] = [];
  let at = 0;
  for (let open = text.indexOf('${'); open !== -1; open = text.indexOf('${', at)) {
    const close = text.indexOf('}', open);
    const name = close === -1 ? text.slice(open + 2) : text.slice(open + 2, close);
    if (close === -1 || !isVariable(name)) return `"\${${name}" names none of ${VARIABLES.join(', ')}`;
    parts.push(text.slice(at, open), READERS[name]);
    at = close + 1;
  }
  if (parts.length === 0) return { template: () => text };
  parts.push(text.slice(at));
  return {
    template: (c) => checked(parts.map((part) => (typeof part === 'string' ? part : part(c))).join('')),
  };
}

/** A name or path that someone chose must not begin a header of its own (response splitting). */
function checked(value: string): string {
  if (isFieldValue(value)) return value;
  throw new TypeError('a value made from the request has characters that a header cannot carry');
}
