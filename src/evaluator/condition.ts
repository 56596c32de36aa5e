import type { PolicyContext, RequestView, Withheld } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import { compileExpression, type Declarations, ExpressionError } from '../lib/expression/index.ts';
import { UndecidedError } from './undecided.ts';

/** What an expression sees of a request. Maps are made only where the expression asks for them. */
class RequestVariables {
  readonly #request: RequestView;

  constructor(request: RequestView) {
    this.#request = request;
  }

  get method(): string {
    return this.#request.method;
  }
  get path(): string {
    return this.#request.path;
  }
  get host(): string {
    return this.#request.host;
  }
  get scheme(): string {
    return this.#request.scheme;
  }
  get client(): string {
    return this.#request.client.text;
  }
  get id(): string {
    return this.#request.id;
  }
  /** Query parameters, decoded. */
  get query(): Map<string, unknown> {
    const { withheld } = this.#request;
    if (withheld === undefined) return onlyValues(new URLSearchParams(this.#request.query), asItIs);
    const values = onlyValues(new URLSearchParams(withheld.recordedQuery), asItIs);
    return watchedValues(values, withheld, withheld.query, () => withheld.isQueryUnknown);
  }
  /** Headers by lower-case name. */
  get headers(): Map<string, unknown> {
    const { headers, withheld } = this.#request;
    if (withheld === undefined) return onlyValues(headers, inLowerCase);
    const values = onlyValues(withheld.recordedHeaders, inLowerCase);
    return watchedValues(values, withheld, withheld.headers, (name) => withheld.isUnknown(name));
  }
}

class RouteVariables {
  readonly #context: PolicyContext;

  constructor(context: PolicyContext) {
    this.#context = context;
  }

  get name(): string {
    return this.#context.route.name;
  }
  get params(): Map<string, string> {
    return new Map(Object.entries(this.#context.route.params));
  }
}

class ConditionVariables {
  readonly #context: PolicyContext;

  constructor(context: PolicyContext) {
    this.#context = context;
  }

  get request(): RequestVariables {
    return new RequestVariables(this.#context.request);
  }
  get route(): RouteVariables {
    return new RouteVariables(this.#context);
  }
  get consumer(): string {
    return this.#context.facts.identity?.consumer ?? '';
  }
  get groups(): readonly string[] {
    return this.#context.facts.identity?.groups ?? NONE;
  }
  get scopes(): readonly string[] {
    return this.#context.facts.identity?.scopes ?? NONE;
  }
  get claims(): Readonly<Record<string, unknown>> {
    return this.#context.facts.identity?.claims ?? NO_CLAIMS;
  }
  get now(): bigint {
    return BigInt(this.#context.now);
  }
}

const NONE: readonly string[] = Object.freeze([]);
const NO_CLAIMS: Readonly<Record<string, unknown>> = Object.freeze({});

/** What a condition may name. docs/conditions.md and the document's schema tell of each. */
export const DECLARATIONS: Declarations = {
  variables: {
    request: 'Request',
    route: 'Route',
    consumer: 'string',
    groups: 'list<string>',
    scopes: 'list<string>',
    claims: 'map<string, dyn>',
    now: 'int',
  },
  types: {
    Request: {
      ctor: RequestVariables,
      fields: {
        method: 'string',
        path: 'string',
        host: 'string',
        scheme: 'string',
        client: 'string',
        id: 'string',
        query: 'map<string, string>',
        headers: 'map<string, string>',
      },
    },
    Route: { ctor: RouteVariables, fields: { name: 'string', params: 'map<string, string>' } },
  },
};

/**
 * Compiles an attachment's `when` (CEL over `request`, `route`, `consumer`, `groups`, `scopes`, `claims` and
 * `now` in milliseconds). Throws ConfigError for a wrong expression; the result throws UndecidedError where a
 * request leaves the answer open (a key that is not there, a value that is no boolean).
 */
export function compileCondition(source: string): (c: PolicyContext) => boolean {
  const run = compiled(source, 'bool');
  return (context) => {
    const value = decide(run, context);
    if (typeof value !== 'boolean') throw new UndecidedError(value);
    return value;
  };
}

/** As a condition, but an expression that gives a text: who a request is counted for, say. */
export function compileTextExpression(source: string): (c: PolicyContext) => string {
  const run = compiled(source, 'string');
  return (context) => {
    const value = decide(run, context);
    if (typeof value !== 'string') throw new UndecidedError(value);
    return value;
  };
}

/** Whether an expression that compiles asks for nothing of the request, and so gives the same for each. */
export const isConstantExpression = (source: string): boolean => constantOf(source) !== undefined;

/**
 * What such an expression gives for every request; its value is undefined where it fails for every one. Undefined for an
 * expression that asks for something of the request.
 */
export function constantOf(source: string): { readonly value: unknown } | undefined {
  let run: (variables: object) => unknown;
  try {
    run = compileExpression(source, { variables: {} });
  } catch (error) {
    if (error instanceof ExpressionError) return undefined;
    throw error;
  }
  try {
    return { value: run({}) };
  } catch {
    return { value: undefined };
  }
}

/** As a condition, but an expression that gives a whole number: what a request costs, say. */
export function compileWholeExpression(source: string): (c: PolicyContext) => number {
  const run = compiled(source, 'int');
  return (context) => {
    const value = decide(run, context);
    if (typeof value !== 'bigint') throw new UndecidedError(value);
    return Number(value);
  };
}

function decide(run: (variables: object) => unknown, context: PolicyContext): unknown {
  try {
    return run(new ConditionVariables(context));
  } catch (error) {
    if (context.request.withheld !== undefined && isOfLeftOut(error)) context.request.withheld.note();
    throw new UndecidedError(error);
  }
}

function compiled(source: string, returns: string): (variables: object) => unknown {
  try {
    return compileExpression(source, { ...DECLARATIONS, returns });
  } catch (error) {
    if (error instanceof ExpressionError) throw ConfigError.at('', error.message, error.suggestion);
    throw error;
  }
}

/**
 * In place of the value of a name that was sent more than once. Which of its values a server behind goes by is anybody's
 * guess, so that whatever asks for it cannot be decided: it is none of the types that a condition can look at.
 */
const REPEATED: unknown = Object.freeze(Object.create(null));

/** In place of a value that a recording does not hold: as with those that repeat, to ask for it cannot be decided. */
const LEFT_OUT: unknown = Object.freeze(Object.create(null));

/**
 * Values as far as they are recorded. One that was left out gives what cannot be decided, which is noted there. Whoever
 * compares all of them looks at each.
 */
function watchedValues(
  values: Map<string, unknown>,
  withheld: Withheld,
  names: ReadonlySet<string>,
  isUnknown: (name: string) => boolean,
): Map<string, unknown> {
  const left = new Set([...names].filter((name) => values.has(name)));
  for (const name of left) values.set(name, LEFT_OUT);
  const all = values[Symbol.iterator].bind(values);
  const has = values.has.bind(values);
  const get = values.get.bind(values);
  const asked = (name: string): void => {
    if (!has(name) && isUnknown(name)) withheld.noteUnknown();
  };
  return Object.defineProperties(values, {
    [Symbol.iterator]: {
      value: () => {
        if (left.size > 0) withheld.note();
        asked('');
        return all();
      },
    },
    has: {
      value: (name: string) => {
        if (left.has(name)) withheld.note();
        return has(name);
      },
    },
    get: {
      value: (name: string) => {
        asked(name);
        return get(name);
      },
    },
  });
}

/** A key that is not there is not there in the recording either. */
const isOfLeftOut = (error: unknown): boolean =>
  !(error instanceof Error && 'code' in error && error.code === 'no_such_key');

const asItIs = (name: string): string => name;
const inLowerCase = (name: string): string => name.toLowerCase();

function onlyValues(
  pairs: Iterable<[string, string]>,
  keyOf: (name: string) => string,
): Map<string, unknown> {
  const values = new Map<string, unknown>();
  for (const [name, value] of pairs) {
    const key = keyOf(name);
    values.set(key, values.has(key) ? REPEATED : value);
  }
  return values;
}
