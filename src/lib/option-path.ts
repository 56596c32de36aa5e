import { ConfigError } from '../errors.ts';

/** Reads what an option refers to (a secret, a file); what is wrong with it is told at that option. Throws ConfigError. */
export function atOption<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.issues.map((issue) => ({ ...issue, path })));
  }
}
