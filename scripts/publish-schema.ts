/** Writes the document's JSON Schema for editors; with `--check` only says whether the one in the tree is current. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PolicyCatalog, publishedSchema } from '../src/config/index.ts';
import { POLICIES } from '../src/policies/index.ts';

const target = path.join(import.meta.dirname, '../schema/sallyport.schema.json');
const text = `${JSON.stringify(publishedSchema(new PolicyCatalog(POLICIES)), null, 2)}\n`;

if (process.argv.includes('--check')) {
  if (current() !== text) {
    console.error('schema/sallyport.schema.json is not current: run node scripts/publish-schema.ts');
    process.exitCode = 1;
  }
} else {
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, text);
}

function current(): string | undefined {
  try {
    return readFileSync(target, 'utf8');
  } catch {
    return undefined;
  }
}
