import type { LiveConsumers, LiveData, LiveUpdate, Revocations } from '../../contract/index.ts';
import { CurrentBans, type CurrentBansOptions } from './bans.ts';
import { CurrentLists, type Unloaded } from './lists.ts';

const NOBODY: LiveConsumers = Object.freeze({ find: () => undefined, consumer: () => undefined });

/** Live data as one thread sees it. An update takes effect at once. */
export class LiveState implements LiveData {
  readonly consumers: LiveConsumers;
  readonly bans: CurrentBans;
  readonly lists: CurrentLists;
  readonly revocations = new CurrentRevocations();

  /** `consumers`: those of the store, where there are any. `unloaded`: what lists say that were never loaded. */
  constructor(
    consumers: LiveConsumers = NOBODY,
    unloaded: Unloaded = 'undecided',
    bans: CurrentBansOptions = {},
  ) {
    this.consumers = consumers;
    this.bans = new CurrentBans(bans);
    this.lists = new CurrentLists(unloaded);
  }

  apply(update: LiveUpdate): void {
    if (update.subject === 'bans') this.bans.replace(update.bans);
    else if (update.subject === 'imposed-bans') this.bans.change(update);
    else if (update.subject === 'own-networks') this.bans.protect(update.networks);
    else if (update.subject === 'list') this.lists.list(update.name).replace(update.content);
    else this.revocations.replace(update);
  }
}

class CurrentRevocations implements Revocations {
  #credentials: ReadonlySet<string> = new Set();
  #consumers: ReadonlySet<string> = new Set();
  #tokens: ReadonlySet<string> = new Set();
  version = 0;

  replace(update: Extract<LiveUpdate, { subject: 'revocations' }>): void {
    this.#credentials = new Set(update.credentials);
    this.#consumers = new Set(update.consumers);
    this.#tokens = new Set(update.tokens.map(([issuer, id]) => tokenKey(issuer, id)));
    this.version++;
  }

  hasCredential(id: string): boolean {
    return this.#credentials.has(id);
  }

  hasConsumer(name: string): boolean {
    return this.#consumers.has(name);
  }

  hasToken(issuer: string, id: string): boolean {
    return this.#tokens.size > 0 && this.#tokens.has(tokenKey(issuer, id));
  }
}

/** Unambiguous: JSON knows where a text ends. */
const tokenKey = (issuer: string, id: string): string => JSON.stringify([issuer, id]);
