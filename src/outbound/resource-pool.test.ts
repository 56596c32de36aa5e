import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Resource, ResourceRequest, ResourceWorld } from '../contract/index.ts';
import { InternalError } from '../errors.ts';
import { OFFLINE, offlineResources } from './offline.ts';
import { ResourcePool } from './resource-pool.ts';

const WORLD: ResourceWorld = {
  network: OFFLINE,
  clock: { now: () => 0, monotonic: () => 0 },
  random: { hex: () => '' },
  log: { info: () => {}, warn: () => {}, error: () => {} },
  schedule: () => () => {},
};

class Probe implements Resource {
  readonly world: ResourceWorld;
  closed = 0;

  constructor(world: ResourceWorld) {
    this.world = world;
  }

  close(): void {
    this.closed++;
  }
}

class Other implements Resource {
  close(): void {}
}

const probe = (key: string): ResourceRequest<Probe> => ({
  key,
  is: (resource): resource is Probe => resource instanceof Probe,
  open: (world) => new Probe(world),
});

describe('resources of a worker', () => {
  it('of two kinds never share a key', () => {
    const pool = new ResourcePool(WORLD);
    const held = pool.acquire(probe('a'));
    const other: ResourceRequest<Other> = {
      key: 'a',
      is: (resource): resource is Other => resource instanceof Other,
      open: () => new Other(),
    };
    assert.throws(() => pool.acquire(other), InternalError);
    held.release();
    assert.equal(held.resource.closed, 1, 'what was refused is no use');
  });

  it('are not kept where opening one fails', () => {
    const pool = new ResourcePool(WORLD);
    const failing = { ...probe('a'), open: () => assert.fail('no') };
    assert.throws(() => pool.acquire(failing));
    assert.equal(pool.size, 0);
    assert.ok(pool.acquire(probe('a')).resource);
  });

  it('are opened once for one key, with the world they live in', () => {
    const pool = new ResourcePool(WORLD);
    const [first, second, other] = [probe('a'), probe('a'), probe('b')].map((one) => pool.acquire(one));
    assert.equal(first.resource, second.resource);
    assert.notEqual(first.resource, other.resource);
    assert.equal(first.resource.world, WORLD);
    assert.equal(pool.size, 2);
  });

  it('are closed with their last use, once, and opened anew after that', () => {
    const pool = new ResourcePool(WORLD);
    const [first, second] = [pool.acquire(probe('a')), pool.acquire(probe('a'))];
    first.release();
    first.release();
    assert.equal(first.resource.closed, 0, 'one use that ends twice ends no other');
    second.release();
    assert.equal(first.resource.closed, 1);
    assert.equal(pool.size, 0);
    const third = pool.acquire(probe('a'));
    assert.notEqual(third.resource, first.resource);
    second.release();
    assert.equal(third.resource.closed, 0, 'a use of one that is gone ends no use of its follower');
    assert.equal(pool.size, 1);
  });

  it('outlive a reload: the next revision takes hold before the one before lets go', () => {
    const pool = new ResourcePool(WORLD);
    const before = pool.acquire(probe('a'));
    const after = pool.acquire(probe('a'));
    before.release();
    assert.equal(after.resource, before.resource);
    assert.equal(after.resource.closed, 0);
  });
});

describe('offline', () => {
  it('nothing is asked of anybody', async () => {
    const question = { method: 'GET', url: 'http://127.0.0.1/', timeoutMs: 1, maxBytes: 1 } as const;
    await assert.rejects(OFFLINE.send(question), { name: 'NetworkError', failure: 'offline' });
  });

  it('resources are there, and nothing happens by itself', async () => {
    const { resource } = offlineResources().acquire(probe('a'));
    assert.equal(resource.world.network, OFFLINE);
    resource.world.schedule(() => assert.fail('was scheduled'), 0)();
    await new Promise((resolve) => setTimeout(resolve, 5));
  });
});
