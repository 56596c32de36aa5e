import type { Trial } from '../../contract/index.ts';

/** What part a candidate has, for people. */
export function trialText({ shadow, canary }: Trial): string {
  if (canary === undefined) return shadow === undefined ? 'prepared' : `shadow ${percent(shadow.share)}`;
  const { share, consumers, routes, addresses } = canary;
  const among = [
    ...(consumers.length > 0 ? ['consumers'] : []),
    ...(routes.length > 0 ? ['routes'] : []),
    ...(addresses.length > 0 ? ['addresses'] : []),
  ];
  const of = among.length === 0 ? '' : ` of some ${among.join(', ')}`;
  return `canary ${percent(share)}${of}`;
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;
