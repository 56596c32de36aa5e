import { ConfigError } from '../errors.ts';

/** Compiles an expression that stands at `path` in a config. Throws ConfigError there, with the suggestion for it. */
export function expressionAt<T>(path: string, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    if (error instanceof ConfigError) throw ConfigError.at(path, error.message, error.issues[0]?.suggestion);
    throw error;
  }
}
