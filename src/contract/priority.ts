/**
 * How much a request matters when there is not room for all, most important first. What may be refused last of all is
 * `critical`; what can as well be done later is `low`.
 */
export const PRIORITIES = Object.freeze(['critical', 'high', 'normal', 'low'] as const);

export type Priority = (typeof PRIORITIES)[number];
