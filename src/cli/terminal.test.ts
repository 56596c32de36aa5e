import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { PROGRAM } from '../../test/fixtures/process.ts';
import { paint, printable, processTerminal, type Terminal } from './terminal.ts';

const silent: Omit<Terminal, 'colours'> = { out: () => {}, error: () => {} };

describe('a terminal', () => {
  it('paints only where there are colours', () => {
    assert.equal(paint({ ...silent, colours: false }, 'red', 'x'), 'x');
    assert.equal(paint({ ...silent, colours: true }, 'red', 'x'), '\u001b[31mx\u001b[0m');
  });

  it('has no colours where nobody looks', () => {
    assert.equal(
      processTerminal().colours,
      process.stdout.isTTY === true && (process.env.NO_COLOR ?? '') === '',
    );
  });

  it('prints no control characters of a document', () => {
    assert.equal(printable('a\u001b[2Jb\rc\u202ed\u0007\nü✓'), 'a\ufffd[2Jb\ufffdc\ufffdd\ufffd\nü✓');
  });

  for (const words of [
    ['--help'],
    ['help', 'run'],
    ['check', '--help'],
    ['consumers', '--help'],
    ['version'],
  ]) {
    it(`is no failure where nobody reads: sallyport ${words.join(' ')}`, async () => {
      const program = spawn(process.execPath, [PROGRAM, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
      program.stdout.destroy();
      let complaints = '';
      program.stderr.on('data', (chunk) => {
        complaints += chunk;
      });
      const [code] = await once(program, 'close');
      assert.deepEqual([code, complaints], [0, '']);
    });
  }
});
