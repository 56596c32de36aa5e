/**
 * Makes a fresh clone ready: installs what the lockfile names when it is not there yet, and sees that a
 * recent Node is at hand. Runs before `npm start`, `npm test` and the others, so it may import nothing
 * that is not in Node 20 itself.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const MINIMUM_NODE = [24, 15];
const root = path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '..');

function readJson(file) {
  try {
    return JSON.parse(readFileSync(path.join(root, file), 'utf8'));
  } catch {
    return undefined;
  }
}

/** Whether every package of the lockfile that must be here is here, in the version locked. */
function isInstalled() {
  const locked = readJson('package-lock.json')?.packages ?? {};
  const present = readJson('node_modules/.package-lock.json')?.packages;
  if (present === undefined) return false;
  return Object.entries(locked).every(
    ([name, entry]) => name === '' || entry.optional === true || present[name]?.version === entry.version,
  );
}

function install() {
  console.error('Setting up: installing dependencies (once, about half a minute)…');
  const npm = process.env.npm_execpath;
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  const [command, prefix] = npm === undefined ? ['npm', []] : [process.execPath, [npm]];
  const result = spawnSync(command, [...prefix, ...args], {
    cwd: root,
    // Progress and npm's own words go to stderr: stdout belongs to the command that follows.
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (result.status === 0) return;
  console.error(
    'Setting up failed: "npm ci" did not succeed (its reason is above). ' +
      'Check the connection to the npm registry, then run the same command again.',
  );
  process.exit(1);
}

function hasRecentNode() {
  const runtime = path.join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (existsSync(runtime)) return true;
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1]);
}

if (!isInstalled()) install();
if (!hasRecentNode()) {
  console.error(
    `Node ${MINIMUM_NODE.join('.')} or later is needed and none came with the packages for ` +
      `${process.platform} ${process.arch} (this is ${process.versions.node}). ` +
      'Get Node 24 LTS from https://nodejs.org/en/download.',
  );
  process.exit(1);
}
