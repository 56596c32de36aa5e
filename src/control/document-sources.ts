import {
  type BinaryFiles,
  binariesOnDisk,
  type CheckedDocument,
  certificateFiles,
  compileBundle,
  createBundle,
  documentHash,
  type FeedPlan,
  filesOnDisk,
  listsOf,
  loadDocument,
  locateIssues,
  type ParsedDocument,
  PolicyCache,
  type PolicyCatalog,
  parseDocument,
  readersOf,
  rolloutOf,
  secretsOf,
} from '../config/index.ts';
import type { Clock, DocumentFiles, LiveData, RolloutPlan, Secrets, Snapshot } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import {
  type DocumentTestDeps,
  type Finding,
  runDocumentTests,
  type TestRequest,
  testIssues,
} from '../lifecycle/index.ts';
import { createLocalCounters } from '../state/index.ts';
import type { LastGoodBundle, RevisionEntry } from '../store/index.ts';
import { documentFolder } from './document-folder.ts';
import { type ListenAddress, refuseTaken } from './listener-probe.ts';
import type { ListsInService } from './live/feeds.ts';
import { lintOffer } from './offer-lint.ts';
import type { OfferedBundle } from './offered-bundle.ts';

const DAY_MS = 86_400_000;
const TEST_FIX = 'mend the policies, or what the test expects; "sallyport test FILE" runs the tests alone';

export interface DocumentSourcesDeps {
  readonly catalog: PolicyCatalog;
  /** The document on disk, or a folder of documents. */
  readonly path: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Addresses that are served now; they are ours. */
  readonly bound: () => Promise<readonly { readonly host: string; readonly port: number }[]>;
  /** What is served: only a document that is to take its place is looked at by the lint. Default: nothing is. */
  readonly served?: () => OfferedBundle | undefined;
  /** What the tests of a document see of what is live. */
  readonly live?: LiveData;
  /** Loads the lists of a document that is about to be served (`Feeds.offer`). Rejects with ConfigError. */
  readonly loadLists?: (plans: readonly FeedPlan[], badFile: 'refuse' | 'go-on') => Promise<void>;
}

/** What the store has of a revision. */
export type StoredTexts = Pick<RevisionEntry, 'document' | 'files'>;

/** Where documents come from. Each way ends in a bundle that was compiled once, tested and found servable. */
export class DocumentSources {
  readonly #deps: DocumentSourcesDeps;
  readonly #cache = new PolicyCache();
  readonly #binaries: BinaryFiles;
  #checked: Snapshot | undefined;

  constructor(deps: DocumentSourcesDeps) {
    this.#deps = deps;
    this.#binaries = binariesOnDisk(this.#folder);
  }

  /** The document on disk as it is now. Throws ConfigError. */
  async fromDisk(): Promise<OfferedBundle> {
    const loaded = await loadDocument(this.#deps.path);
    return await this.#check(loaded, filesOnDisk(loaded.folder), JSON.stringify(loaded.document, null, 2));
  }

  /** A document sent by a caller; its files are relative to the one on disk. Throws ConfigError. */
  async fromText(text: string): Promise<OfferedBundle> {
    return await this.#check(parseDocument(text, 'document'), filesOnDisk(this.#folder), text);
  }

  /** The last good revision, with the files as they were. Secrets and databases are read anew. Throws ConfigError. */
  async fromLastGood({ document, files }: LastGoodBundle): Promise<OfferedBundle> {
    const kept = readersOf({ files, secrets: {}, binaries: {} }).files;
    // With a list that cannot be read most of it still serves; without it nothing does.
    return await this.#check(parseDocument(document, 'last good revision'), kept, document, 'go-on');
  }

  /**
   * A revision that is gone back to, with the files as they were but for its certificates: those of that day may have
   * expired, and their keys are gone. Where one was renewed it is another revision by its id. Throws ConfigError.
   */
  async fromStored({ document, files }: StoredTexts): Promise<OfferedBundle> {
    const parsed = parseDocument(document, 'stored revision');
    const renewed = certificateFiles(parsed.document);
    const kept = readersOf({ files, secrets: {}, binaries: {} }).files;
    const onDisk = filesOnDisk(this.#folder);
    const read = (name: string): string => (renewed.has(name) ? onDisk : kept).read(name);
    return await this.#check(parsed, { read }, document, 'refuse', false);
  }

  /** Names a document that was served once by what is written in it. Throws ConfigError. */
  documentHashOf(text: string): string {
    return documentHash(parseDocument(text, 'stored revision').document);
  }

  /** Names the document on disk by what is written in it; undefined where it cannot be read. */
  async diskDocument(): Promise<string | undefined> {
    try {
      return documentHash((await loadDocument(this.#deps.path)).document);
    } catch (error) {
      if (error instanceof ConfigError) return undefined;
      throw error;
    }
  }

  /** Names of the listeners that speak TLS in the document last found servable. */
  get tlsListeners(): ReadonlySet<string> {
    const secure = this.#checked?.listeners.filter(({ tls }) => tls !== undefined) ?? [];
    return new Set(secure.map(({ name }) => name));
  }

  /** Whether the document last found servable lets on what a test of it would send over plain HTTP. */
  async letsOn(request: TestRequest): Promise<boolean> {
    const snapshot = this.#checked;
    const listener = snapshot?.listeners[0];
    if (snapshot === undefined || listener === undefined) return false;
    if (listener.tls !== undefined || listener.proxyProtocol) return false;
    const test = { name: '', request, expect: { forwarded: true } };
    const secrets = secretsOf(this.#deps.environment, filesOnDisk(this.#folder));
    return testIssues(await runDocumentTests(snapshot, [test], this.#testDeps(secrets))).length === 0;
  }

  /** What is served, compiled once more on this side. To be disposed by who asked for it. */
  compiled(bundle: OfferedBundle): Promise<Snapshot> {
    const { catalog, live } = this.#deps;
    return compileBundle(bundle, { catalog, cache: this.#cache, ...(live === undefined ? {} : { live }) });
  }

  #testDeps(secrets: Secrets): DocumentTestDeps {
    const { clock } = this.#deps;
    // The start of the day: windows then begin alike in every run, so that no test passes by the hour.
    const startMs = clock.now() - (clock.now() % DAY_MS);
    return { createState: createLocalCounters, secrets, startMs };
  }

  get #folder(): string {
    return documentFolder(this.#deps.path);
  }

  async #check(
    parsed: ParsedDocument,
    files: DocumentFiles,
    text: string,
    badFile: 'refuse' | 'go-on' = 'refuse',
    isNew = badFile === 'refuse',
  ): Promise<OfferedBundle> {
    const { catalog, environment, live } = this.#deps;
    const secrets = secretsOf(environment, filesOnDisk(this.#folder));
    const known = live === undefined ? {} : { live };
    const parts = { catalog, cache: this.#cache, files, secrets, binaries: this.#binaries, ...known };
    const checked = await createBundle(parsed, parts);
    let lists: ListsInService;
    let findings: readonly Finding[] | undefined;
    try {
      if (isNew) findings = await this.#lint(checked, parsed);
      lists = await this.#loadLists(checked, secrets, badFile);
      await this.#runTests(checked, secrets);
      await this.#refuseTaken(checked.snapshot);
    } catch (error) {
      await checked.snapshot.dispose();
      if (error instanceof ConfigError) throw new ConfigError(locateIssues(error, parsed));
      throw error;
    }
    // The one before is let go only now: policies that did not change are not compiled again.
    await this.#checked?.dispose();
    this.#checked = checked.snapshot;
    const named = { documentHash: documentHash(checked.document), rollout: this.#planOf(checked) };
    return { ...checked.bundle, text, lists, ...named, ...(findings === undefined ? {} : { findings }) };
  }

  /** New files and secrets of what is served are no new document; at a start nothing is there that could be served on. */
  async #lint(checked: CheckedDocument, parsed: ParsedDocument): Promise<readonly Finding[] | undefined> {
    const served = this.#deps.served?.();
    if (served === undefined || served.documentHash === documentHash(checked.document)) return undefined;
    const { catalog, clock } = this.#deps;
    const compiled = (bundle: OfferedBundle) => this.compiled(bundle);
    return await lintOffer(checked, parsed, served, { catalog, clock, compiled });
  }

  #planOf({ document }: CheckedDocument): RolloutPlan | undefined {
    return this.#deps.catalog.isDocument(document) ? rolloutOf(document) : undefined;
  }

  async #loadLists(
    { document }: CheckedDocument,
    secrets: Secrets,
    badFile: 'refuse' | 'go-on',
  ): Promise<ListsInService> {
    const { inline, feeds, proxies } = listsOf(document, this.#deps.catalog, secrets);
    await this.#deps.loadLists?.(feeds, badFile);
    const counts = [...inline].map(([name, entries]) => [name, entries.length]);
    return { feeds, inline: Object.fromEntries(counts), proxies };
  }

  /** A document that fails its own tests is refused like one that cannot be compiled. */
  async #runTests({ document, snapshot }: CheckedDocument, secrets: Secrets): Promise<void> {
    if (!this.#deps.catalog.isDocument(document)) return;
    const results = await runDocumentTests(snapshot, document.tests ?? [], this.#testDeps(secrets));
    const issues = testIssues(results);
    if (issues.length > 0) throw new ConfigError(issues.map((issue) => ({ ...issue, suggestion: TEST_FIX })));
  }

  async #refuseTaken(snapshot: Snapshot): Promise<void> {
    const ours = new Set((await this.#deps.bound()).map(({ host, port }) => `${host} ${port}`));
    const fresh = snapshot.listeners.map(
      ({ host, port }, i): ListenAddress => ({ path: `listeners[${i}].address`, host, port }),
    );
    await refuseTaken(fresh.filter(({ host, port }) => !ours.has(`${host} ${port}`)));
  }
}
