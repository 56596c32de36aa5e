import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EndedExchange } from './recorder.ts';
import { type Witness, Witnesses } from './witness.ts';

/** Nothing is asked of it here. */
const EXCHANGE: EndedExchange = Object.create(null);

const witness = (bodyBytes: number, ended: Witness['ended'] = () => {}): Witness => ({ bodyBytes, ended });
const NO_DEFECT = (cause: unknown): void => assert.fail(`${cause}`);

describe('witnesses', () => {
  it('ask for the most that one of them asks for', () => {
    const witnesses = new Witnesses();
    const [a, b] = [witness(10), witness(30)];
    const seen = [witnesses.bodyBytes];
    witnesses.add(a);
    seen.push(witnesses.bodyBytes);
    witnesses.add(b);
    seen.push(witnesses.bodyBytes);
    witnesses.remove(b);
    seen.push(witnesses.bodyBytes);
    witnesses.remove(a);
    assert.deepEqual([...seen, witnesses.bodyBytes, witnesses.count], [0, 10, 30, 10, 0, 0]);
  });

  it('are asked again when one says that it has changed', () => {
    const witnesses = new Witnesses();
    const one = { bodyBytes: 5, ended: () => {} };
    witnesses.add(one);
    one.bodyBytes = 7;
    assert.equal(witnesses.bodyBytes, 5);
    witnesses.changed();
    assert.equal(witnesses.bodyBytes, 7);
  });

  it('all see every exchange, and one that fails keeps it from nobody', () => {
    const witnesses = new Witnesses();
    const seen: unknown[] = [];
    const broken = new Error('broken');
    witnesses.add(witness(0, (exchange) => void seen.push(exchange)));
    witnesses.add(
      witness(0, () => {
        throw broken;
      }),
    );
    witnesses.add(witness(0, (exchange) => void seen.push(exchange)));
    const defects: unknown[] = [];
    witnesses.ended(EXCHANGE, (cause) => void defects.push(cause));
    assert.deepEqual([seen.length, defects], [2, [broken]]);
  });

  it('may leave while an exchange is shown', () => {
    const witnesses = new Witnesses();
    let shown = 0;
    const last = witness(0, () => void shown++);
    witnesses.add(witness(0, () => witnesses.remove(last)));
    witnesses.add(last);
    witnesses.ended(EXCHANGE, NO_DEFECT);
    witnesses.ended(EXCHANGE, NO_DEFECT);
    assert.deepEqual([shown, witnesses.count], [1, 1]);
  });
});
