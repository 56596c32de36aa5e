import type {
  Ban,
  BanList,
  BanSubject,
  ImposedBan,
  Imposition,
  ImpositionOutcome,
} from '../../contract/index.ts';
import type { IpAddress } from '../../lib/ip-address.ts';

/** Bans as a second judgement sees them: those of policies are imposed here, and nobody is banned by them. */
export class ShadowBans implements BanList {
  readonly #own: BanList;
  readonly #live: BanList;

  /** `own`: where nothing else is. */
  constructor(own: BanList, live: BanList) {
    this.#own = own;
    this.#live = live;
  }

  /** Its own alone: whoever is banned by now was not when the request came, or it would not be judged again. */
  find(address: IpAddress, nowMs: number): Pick<Ban, 'id' | 'network'> | undefined {
    return this.#own.find(address, nowMs);
  }

  findCaller(caller: string, nowMs: number): ImposedBan | undefined {
    return this.#own.findCaller(caller, nowMs) ?? this.#live.findCaller(caller, nowMs);
  }

  imposedOn(subject: BanSubject, shadow: boolean, nowMs: number): ImposedBan | undefined {
    return this.#own.imposedOn(subject, shadow, nowMs) ?? this.#live.imposedOn(subject, shadow, nowMs);
  }

  impose(ban: Imposition): ImpositionOutcome {
    return this.#own.impose(ban);
  }
}
