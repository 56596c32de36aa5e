import type { CompileDeps } from '../../contract/index.ts';
import { ConfigError, type ConfigIssue } from '../../errors.ts';
import { compileSchema, SchemaError, type SchemaTest, type ValueForm } from './compile-schema.ts';

/** Compiles a schema given in place or as `file:…`; what is wrong with it is added to `issues`. */
export function loadSchema(
  source: string | object | undefined,
  path: string,
  form: ValueForm,
  deps: CompileDeps,
  issues: ConfigIssue[],
): SchemaTest | undefined {
  if (source === undefined) return undefined;
  try {
    const schema = typeof source === 'string' ? readSchema(source.slice('file:'.length), deps) : source;
    if (path === 'headers') mustBeLowerCase(schema, issues);
    return compileSchema(schema, form);
  } catch (error) {
    if (error instanceof ConfigError) for (const issue of error.issues) issues.push({ ...issue, path });
    else if (error instanceof SchemaError) issues.push({ path, message: error.message });
    else throw error;
    return undefined;
  }
}

function readSchema(file: string, deps: CompileDeps): object {
  let schema: unknown;
  try {
    schema = JSON.parse(deps.files.read(file));
  } catch (error) {
    if (error instanceof SyntaxError) throw new SchemaError(`${file} is not JSON: ${error.message}`);
    throw error;
  }
  if (typeof schema !== 'object' || schema === null) throw new SchemaError(`${file} holds no schema`);
  return schema;
}

/** Headers are looked up by lower-case name: `X-Kind` in a schema would be a rule that never applies. */
function mustBeLowerCase(schema: object, issues: ConfigIssue[]): void {
  if (!('properties' in schema)) return;
  for (const name of Object.keys(Object(schema.properties))) {
    if (name === name.toLowerCase()) continue;
    const suggestion = `write ${name.toLowerCase()}`;
    issues.push({
      path: `headers.properties.${name}`,
      message: 'header names are lower-case here',
      suggestion,
    });
  }
}
