import type { Stats } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ConfigError } from '../errors.ts';
import { causeOf } from './document-files.ts';
import { mergeDocuments } from './merge.ts';
import { MAX_DOCUMENT_BYTES, type ParsedDocument, parseDocument } from './parse.ts';

/** A document from disk. */
export interface LoadedDocument extends ParsedDocument {
  /** Folder that its file references are relative to. */
  readonly folder: string;
  /** The files it was read from: what to watch. */
  readonly sources: readonly string[];
}

const DOCUMENT_FILE = /^[^.].*\.(?:ya?ml|json)$/;

/**
 * Reads a document from a file, or from a folder: all its *.yaml, *.yml and *.json files (not below it), whose
 * lists are joined in the order of the names. Throws ConfigError with places, of every file at once.
 */
export async function loadDocument(path: string): Promise<LoadedDocument> {
  const info = await statOf(path);
  if (!info.isDirectory()) {
    const parsed = await parseFile(path);
    return { ...parsed, folder: dirname(path), sources: [path] };
  }
  const names = (await readdir(path)).filter((name) => DOCUMENT_FILE.test(name)).sort();
  if (names.length === 0) throw ConfigError.at('', `${path} holds no *.yaml, *.yml or *.json file`);
  const sources = names.map((name) => join(path, name));
  const results = await Promise.allSettled(sources.map(parseFile));
  const issues = results.flatMap((r) => (r.status === 'rejected' ? issuesOf(r.reason) : []));
  if (issues.length > 0) throw new ConfigError(issues);
  const parsed = results.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : []));
  return { ...mergeDocuments(path, parsed), folder: path, sources };
}

async function parseFile(path: string): Promise<ParsedDocument> {
  const info = await statOf(path);
  // A pipe or device could block for ever, or never end.
  if (!info.isFile()) throw ConfigError.at('', `${path} is not a regular file`);
  if (info.size > MAX_DOCUMENT_BYTES) {
    throw ConfigError.at(
      '',
      `${path} is larger than ${MAX_DOCUMENT_BYTES} bytes`,
      'split it into several files',
    );
  }
  return parseDocument(decode(await read(path), path), path);
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw ConfigError.at('', `${path} is not UTF-8 text`);
  }
}

async function statOf(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (error) {
    throw ConfigError.at('', `${path} cannot be read: ${causeOf(error)}`);
  }
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw ConfigError.at('', `${path} cannot be read: ${causeOf(error)}`);
  }
}

function issuesOf(error: unknown): ConfigError['issues'] {
  if (error instanceof ConfigError) return error.issues;
  throw error;
}
