export { type UpstreamClient, UpstreamConnection } from './connection.ts';
export type { Receiver } from './inlet.ts';
export { UpstreamRegistry } from './registry.ts';
export { type ConnectWaiter, Target } from './target.ts';
export { Upstream } from './upstream.ts';
