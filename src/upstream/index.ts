export { type UpstreamClient, UpstreamConnection } from './connection.ts';
export { UpstreamRegistry } from './registry.ts';
export { type ConnectWaiter, Target } from './target.ts';
export { Upstream } from './upstream.ts';
