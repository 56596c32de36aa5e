import type { Snapshot } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import { type BinaryFiles, NO_BINARIES } from './binary-files.ts';
import { Capture, type Captured, readersOf } from './captured.ts';
import { compile, type SnapshotDeps } from './compile/compile.ts';
import { locateIssues, type ParsedDocument } from './parse.ts';
import { hashesOf, revisionOfHashes } from './revision.ts';

/**
 * A revision with everything it needs, as plain data: any thread compiles the same snapshot from it and reads
 * nothing else. Holds secrets: it is passed between threads of one process and never stored or shown.
 */
export interface Bundle extends Captured {
  /** 64 hex digits. */
  readonly revision: string;
  /** The document as JSON: between threads a text travels several times as fast as the objects it is of. */
  readonly json: string;
  /** Hash of each captured file. */
  readonly fileHashes: Readonly<Record<string, string>>;
}

export interface BundleDeps
  extends Pick<SnapshotDeps, 'catalog' | 'cache' | 'files' | 'secrets' | 'pacer' | 'live'> {
  /** Without it there are none. */
  readonly binaries?: BinaryFiles;
}
export type BundleCompileDeps = Pick<SnapshotDeps, 'catalog' | 'cache' | 'pacer' | 'resources' | 'live'>;

/** A checked document: what workers compile from, and the snapshot that the check made (dispose it after use). */
export interface CheckedDocument {
  readonly bundle: Bundle;
  readonly document: Readonly<Record<string, unknown>>;
  readonly snapshot: Snapshot;
}

/** Checks a document by compiling it once, and captures what it read. Throws ConfigError with places. */
export async function createBundle(parsed: ParsedDocument, deps: BundleDeps): Promise<CheckedDocument> {
  const capture = new Capture(deps.files, deps.secrets, deps.binaries ?? NO_BINARIES);
  const { document } = parsed;
  let fileHashes: Readonly<Record<string, string>> = {};
  const revision = (): string => {
    const { files, binaries } = capture.captured;
    const ofBinaries = Object.entries(binaries).map(([name, { hash }]) => [name, hash]);
    fileHashes = { ...hashesOf(files), ...Object.fromEntries(ofBinaries) };
    return revisionOfHashes(document, fileHashes);
  };
  try {
    const { files, secrets, binaries } = capture;
    const snapshot = await compile(document, { ...deps, files, secrets, binaries, revision });
    const json = JSON.stringify(document);
    const bundle = { ...capture.captured, revision: snapshot.revision, json, fileHashes };
    return { snapshot, document, bundle };
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(locateIssues(error, parsed));
    throw error;
  }
}

/** Compiles a bundle, in any thread. */
export function compileBundle(bundle: Bundle, deps: BundleCompileDeps): Promise<Snapshot> {
  const { json, fileHashes, revision } = bundle;
  return compile(JSON.parse(json), { ...deps, ...readersOf(bundle), fileHashes, revision: () => revision });
}
