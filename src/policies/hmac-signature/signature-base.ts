import type { RequestView } from '../../contract/index.ts';
import type { Component, PresentedSignature } from './presented.ts';
import { QueryParameters } from './query-parameters.ts';

/** What of a request is signed. */
export type SignedRequest = Pick<RequestView, 'method' | 'scheme' | 'authority' | 'target' | 'headers'>;

/** A component whose value is not there, or could be read in two ways. */
export interface Unsignable {
  readonly fault: string;
}

const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** RFC 9421 §2.5: a base is ASCII, and a line end would be a component of its own. */
const VALUE = /^[\t\x20-\x7e]*$/;

/** The signature base (RFC 9421 §2.5). */
export function signatureBase(
  { components, parameters }: Pick<PresentedSignature, 'components' | 'parameters'>,
  request: SignedRequest,
): string | Unsignable {
  let base = '';
  const query = new QueryParameters(request.target);
  for (const component of components) {
    const value = componentValue(component, request, query);
    if (typeof value !== 'string') return value;
    if (!VALUE.test(value)) return { fault: 'the value of a component is not ASCII' };
    base += `${component.identifier}: ${value}\n`;
  }
  return `${base}"@signature-params": ${parameters}`;
}

function componentValue(
  { name, parameters }: Component,
  request: SignedRequest,
  query: QueryParameters,
): string | Unsignable {
  if (name === '@query-param') return queryParameter(parameters.get('name'), parameters.size, query);
  // `sf`, `key`, `bs`, `req`, `tr`: what they mean is not computed here, so nothing can be said of them.
  if (parameters.size > 0) return { fault: 'a component has a parameter that is not supported' };
  if (name.startsWith('@')) return derived(name, request);
  if (!FIELD_NAME.test(name)) return { fault: 'the name of a component is no header name in lower case' };
  const values = request.headers.getAll(name);
  if (values.length === 0) return { fault: 'a header that is covered is not there' };
  return values.map((value) => value.trim()).join(', ');
}

function queryParameter(name: unknown, parameters: number, query: QueryParameters): string | Unsignable {
  if (typeof name !== 'string' || parameters !== 1) {
    return { fault: 'a query parameter has no name, or a parameter that is not supported' };
  }
  return query.encoded(name) ?? { fault: 'a query parameter that is covered is not there once, in UTF-8' };
}

/**
 * RFC 9421 §2.2. Path and query are those that came, byte for byte: that is what the caller signed, and what the
 * gateway makes of them (its normal form) is a function of them.
 */
function derived(name: string, { method, scheme, authority, target }: SignedRequest): string | Unsignable {
  const question = target.indexOf('?');
  switch (name) {
    case '@method':
      return method;
    case '@authority':
      return normalAuthority(authority, scheme);
    case '@scheme':
      return scheme;
    case '@request-target':
      return target;
    case '@target-uri':
      return target === '*' ? NO_PATH : `${scheme}://${normalAuthority(authority, scheme)}${target}`;
    case '@path':
      if (target === '*') return NO_PATH;
      return question === -1 ? target : target.slice(0, question);
    case '@query':
      return question === -1 ? '?' : target.slice(question);
    default:
      return { fault: 'a derived component is none of a request' };
  }
}

const NO_PATH: Unsignable = Object.freeze({ fault: 'the request has no path to sign' });

/** Lower case, without the port that the scheme has by itself (RFC 9421 §2.2.3). */
function normalAuthority(authority: string, scheme: string): string {
  const lower = authority.toLowerCase();
  const usual = scheme === 'https' ? ':443' : ':80';
  return lower.endsWith(usual) ? lower.slice(0, -usual.length) : lower;
}
