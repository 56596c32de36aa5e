import type { CredentialKind, DocumentFiles, Secrets } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import type { DocumentPath } from '../document-path.ts';
import type { IssueList } from '../issues.ts';

/** What credentials are read with. */
export interface CredentialSources {
  readonly secrets: Secrets;
  readonly files: DocumentFiles;
}

/** What a credential comes to: how it is found, and what a claim to it is verified with. */
export interface ReadCredential {
  readonly kind: CredentialKind;
  /** As `ConsumerDirectory.find` has it. */
  readonly lookup: string;
  readonly verifier?: string;
  /** The key of the config that a second credential of the same look-up is told of at, and in which words. */
  readonly unique: { readonly key: string; readonly message: (owner: string) => string };
}

/** A step of reading: throws ConfigError. */
type Step<T> = () => T;

/** Reads one credential. Faults go to `issues`, below its path; undefined where there was one. */
export class CredentialReading {
  readonly sources: CredentialSources;
  readonly #path: DocumentPath;
  readonly #issues: IssueList;

  constructor(sources: CredentialSources, path: DocumentPath, issues: IssueList) {
    this.sources = sources;
    this.#path = path;
    this.#issues = issues;
  }

  /** What a step makes of the value at `key`. */
  at<T>(key: string, step: Step<T>): T | undefined {
    return this.#issues.collect([...this.#path, key], step);
  }

  /** Which of two keys is there: exactly one has to be. */
  either<A extends string, B extends string>(
    config: Readonly<Partial<Record<A | B, unknown>>>,
    first: A,
    second: B,
  ): A | B | undefined {
    const [hasFirst, hasSecond] = [config[first] !== undefined, config[second] !== undefined];
    if (hasFirst !== hasSecond) return hasFirst ? first : second;
    const problem = hasFirst ? `has both "${first}" and "${second}"` : `needs "${first}" or "${second}"`;
    this.#issues.add(this.#path, problem, hasFirst ? 'keep one of them' : undefined);
    return undefined;
  }
}

/** Bytes in base64, padded or not, in their one spelling. Throws ConfigError. */
export function base64Bytes(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  const spelling = bytes.toString('base64');
  if (text !== spelling && text !== spelling.replace(/=+$/, '')) throw ConfigError.at('', 'is not base64');
  return bytes;
}
