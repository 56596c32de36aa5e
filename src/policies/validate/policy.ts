import {
  type BodyView,
  CONTINUE,
  type CompileDeps,
  type Decision,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  reject,
} from '../../contract/index.ts';
import { ConfigError, type ConfigIssue, PolicyRejection } from '../../errors.ts';
import { parseStrictJson } from '../../lib/strict-json.ts';
import type { SchemaTest } from './compile-schema.ts';
import { loadSchema } from './load-schema.ts';
import { type MediaTypeCheck, mediaTypeCheck } from './media-type.ts';
import {
  copyParameters,
  headerParameters,
  oddNumber,
  type Parameters,
  pathParameters,
  queryParameters,
} from './parameters.ts';
import { type ValidateConfig, validateOutline, type validateSchema } from './schema.ts';

/** Refuses requests that do not fit their JSON Schemas. */
export const validate: PolicyDefinition<typeof validateSchema> = {
  ...validateOutline,
  compile(config, deps): Policy {
    const issues: ConfigIssue[] = [];
    const parts = compileParts(config, deps, issues);
    const body = loadSchema(config.body, 'body', 'json', deps, issues);
    if ([config.body, config.query, config.headers, config.params].every((part) => part === undefined)) {
      issues.push({
        path: '',
        message: 'nothing is validated',
        suggestion: 'add body, query, headers or params',
      });
    }
    if (issues.length > 0) throw new ConfigError(issues);
    const request = (c: PolicyContext) => checkParts(parts, c);
    if (body === undefined) return { request };
    const check = new BodyCheck(config, body);
    return { request: (c) => check.head(c) ?? request(c), requestBody: (c, view) => check.body(c, view) };
  },
};

/** A part of the request that is text by name: where it is read from and what it must fit. */
interface Part {
  readonly name: 'query' | 'headers' | 'params';
  readonly test: SchemaTest;
}

function compileParts(config: ValidateConfig, deps: CompileDeps, issues: ConfigIssue[]): readonly Part[] {
  const names = ['params', 'query', 'headers'] as const;
  return names.flatMap((name) => {
    const test = loadSchema(config[name], name, 'text', deps, issues);
    return test === undefined ? [] : [{ name, test }];
  });
}

function read(name: Part['name'], c: PolicyContext): Parameters | undefined {
  if (name === 'query') return queryParameters(c.request.query);
  return name === 'headers' ? headerParameters(c.request.headers) : pathParameters(c.route.params);
}

function checkParts(parts: readonly Part[], c: PolicyContext): Decision {
  for (const { name, test } of parts) {
    const texts = read(name, c);
    if (texts === undefined) return invalid(name, '', 'encoding');
    const values = copyParameters(texts);
    const violation = test(values);
    if (violation !== undefined) return invalid(name, violation.pointer, violation.keyword, violation.detail);
    if (oddNumber(texts, values) !== undefined) return invalid(name, '', 'number');
  }
  return CONTINUE;
}

class BodyCheck {
  readonly #mediaType: MediaTypeCheck;
  readonly #maxDepth: number;
  readonly #test: SchemaTest;

  constructor(config: ValidateConfig, test: SchemaTest) {
    this.#mediaType = mediaTypeCheck(config.contentTypes ?? ['application/json']);
    this.#maxDepth = config.maxDepth ?? 64;
    this.#test = test;
  }

  /** A body of the wrong type is refused before it is read. */
  head(c: PolicyContext): Decision | undefined {
    if (!c.request.headers.has('content-type') && !c.request.headers.has('content-encoding'))
      return undefined;
    return this.#refuseType(c);
  }

  body(c: PolicyContext, view: BodyView): Decision {
    if (view.bytes.length === 0) return invalid('body', '', 'missing');
    const wrongType = this.#refuseType(c);
    if (wrongType !== undefined) return wrongType;
    const text = decoded(view);
    if (text === undefined) return invalid('body', '', 'utf-8');
    const parsed = parseStrictJson(text, this.#maxDepth);
    if ('fault' in parsed) return invalid('body', '', parsed.fault);
    const violation = this.#test(parsed.value);
    if (violation === undefined) return CONTINUE;
    return invalid('body', violation.pointer, violation.keyword, violation.detail);
  }

  #refuseType(c: PolicyContext): Decision | undefined {
    const reason = this.#mediaType(c.request.headers);
    if (reason === undefined) return undefined;
    const detail = 'The body has a type that is not accepted here.';
    return reject(new PolicyRejection('unsupported-media-type', detail, { rule: 'contentTypes', reason }));
  }
}

/** Undefined for bytes that are not UTF-8: whoever repairs them reads another text than the next. */
function decoded(view: BodyView): string | undefined {
  try {
    return view.text();
  } catch {
    return undefined;
  }
}

/** How a sentence about a part begins. */
const SUBJECTS = Object.freeze({
  body: 'The body is',
  query: 'The query is',
  headers: 'The headers are',
  params: 'The path parameters are',
});

/** Names the part, the place and the keyword, e.g. `body/items/0/price: type`; never what was sent. */
function invalid(part: keyof typeof SUBJECTS, pointer: string, keyword: string, words?: string): Decision {
  const rule = `${part}${pointer}: ${keyword}`;
  const place = pointer === '' ? '' : ` at ${pointer}`;
  const why = words === undefined ? keyword : `${keyword}: ${words}`;
  const detail = `${SUBJECTS[part]} not valid${place} (${why}).`;
  return reject(new PolicyRejection('invalid-request', detail, { rule, reason: rule }));
}
