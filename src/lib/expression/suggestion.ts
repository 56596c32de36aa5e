import type { TypeCheckResult } from '@marcbachmann/cel-js';
import { didYouMean } from '../suggest.ts';
import type { Declarations, FieldTypes } from './declarations.ts';

type CheckError = NonNullable<TypeCheckResult['error']>;

/** What the author of an expression that was refused probably meant, or what there is to choose from. */
export function suggestionFor(
  { code, node }: CheckError,
  declared: Declarations,
  functions: () => Iterable<string>,
): string | undefined {
  if (code === 'unknown_variable' && typeof node?.args === 'string') return variable(node.args, declared);
  const { args } = node ?? {};
  if (!Array.isArray(args)) return undefined;
  if (code === 'no_such_key') return field(args[0], args[1], declared);
  const [name] = args;
  return code === 'no_matching_overload' && typeof name === 'string' ? method(name, functions()) : undefined;
}

/** `method` alone is most often the `method` of a request. */
function variable(name: string, { variables, types = {} }: Declarations): string {
  const owner = Object.keys(variables).find((v) => Object.hasOwn(types[variables[v]]?.fields ?? {}, name));
  if (owner !== undefined) return `did you mean "${owner}.${name}"?`;
  return didYouMean(name, Object.keys(variables)) ?? known(variables);
}

function field(owner: unknown, name: unknown, { variables, types = {} }: Declarations): string | undefined {
  if (typeof owner !== 'object' || owner === null || !('args' in owner)) return undefined;
  if (typeof name !== 'string' || typeof owner.args !== 'string') return undefined;
  const fields = types[variables[owner.args]]?.fields;
  return fields && (didYouMean(name, Object.keys(fields)) ?? known(fields));
}

/** A function that is there was called with values of other types. */
function method(name: string, functions: Iterable<string>): string | undefined {
  const names = new Set(functions);
  return names.has(name) ? undefined : didYouMean(name, names);
}

const known = (names: FieldTypes): string => `known: ${Object.keys(names).join(', ')}`;
