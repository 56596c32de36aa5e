import { readdirSync, readFileSync } from 'node:fs';
import type { Clock, Meter } from '../contract/index.ts';

/** What is asked of the operating system, so that a test needs none. */
export interface ProcessFacts {
  /** Seconds of user and system time so far. */
  cpuSeconds(): number;
  residentBytes(): number;
  /** Undefined where the system does not say. */
  openDescriptors(): number | undefined;
  maxDescriptors(): number | undefined;
  /** Seconds since the epoch. */
  startTimeSeconds(): number;
}

/** The facts of this process; descriptors are known on Linux only. */
export function processFacts(): ProcessFacts {
  const startSeconds = Date.now() / 1000 - process.uptime();
  return {
    cpuSeconds() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    residentBytes: () => process.memoryUsage.rss(),
    openDescriptors: () => whereKnown(() => readdirSync('/proc/self/fd').length),
    maxDescriptors: () =>
      whereKnown(() =>
        Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]),
      ),
    startTimeSeconds: () => startSeconds,
  };
}

function whereKnown(read: () => number): number | undefined {
  try {
    const value = read();
    return Number.isNaN(value) ? undefined : value;
  } catch {
    return undefined;
  }
}

/** Returns a function that brings the `process_*` metrics up to date; call it before each scrape, on one thread only. */
export function createProcessMetrics(meter: Meter, facts: ProcessFacts): () => void {
  const cpu = meter.counter('process_cpu_seconds_total');
  const resident = meter.gauge('process_resident_memory_bytes');
  meter.gauge('process_start_time_seconds').set(facts.startTimeSeconds());
  let countedCpuSeconds = 0;
  return () => {
    const cpuSeconds = facts.cpuSeconds();
    cpu.add(cpuSeconds - countedCpuSeconds);
    countedCpuSeconds = cpuSeconds;
    resident.set(facts.residentBytes());
    setWhereKnown(meter, 'process_open_fds', facts.openDescriptors());
    setWhereKnown(meter, 'process_max_fds', facts.maxDescriptors());
  };
}

function setWhereKnown(meter: Meter, name: string, value: number | undefined): void {
  if (value !== undefined) meter.gauge(name).set(value);
}

export interface LagProbe {
  /** To be called every `intervalMs`. */
  tick(): void;
  /** Writes the longest lag since the last call to the meter. */
  sample(): void;
}

/** Measures how late a timer of `intervalMs` comes: how long this thread's event loop was held. */
export function createLagProbe(meter: Meter, clock: Clock, intervalMs: number): LagProbe {
  const gauge = meter.gauge('sallyport_event_loop_lag_seconds');
  let expectedMs = clock.monotonic() + intervalMs;
  let worstMs = 0;
  const lookAt = (): number => {
    const nowMs = clock.monotonic();
    worstMs = Math.max(worstMs, nowMs - expectedMs);
    return nowMs;
  };
  const tick = (): void => {
    expectedMs = lookAt() + intervalMs;
  };
  const sample = (): void => {
    lookAt();
    gauge.set(worstMs / 1000);
    worstMs = 0;
  };
  return { tick, sample };
}
