import { expect } from 'chai';
import fc from 'fast-check';
import { type Candidate, createChooser } from '../../src/pipeline/choosers.ts';

const candidates = (...weights: readonly number[]): Candidate[] => weights.map((weight, i) => ({ key: i + 1, weight }));
const weights = fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 1, maxLength: 12 });

describe('round robin', () => {
  it('gives each its weight in every round, whatever the weights', () => {
    fc.assert(
      fc.property(weights, (some) => {
        const chooser = createChooser('ROUND_ROBIN');
        const of = candidates(...some);
        const total = some.reduce((a, b) => a + b);
        for (let round = 0; round < 2; round++) {
          const counts = some.map(() => 0);
          for (let i = 0; i < total; i++) counts[chooser.choose(of)! - 1]!++;
          expect(counts).to.deep.equal(some);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('is never more than one connection per other member away from the share', () => {
    fc.assert(
      fc.property(weights, fc.nat(500), (some, n) => {
        const chooser = createChooser('ROUND_ROBIN');
        const of = candidates(...some);
        const total = some.reduce((a, b) => a + b);
        const counts = some.map(() => 0);
        for (let i = 0; i < n; i++) counts[chooser.choose(of)! - 1]!++;
        for (const [i, count] of counts.entries()) {
          expect(Math.abs(count - (n * some[i]!) / total)).to.be.at.most(some.length);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('spreads a round: 5, 1, 1 as nginx does', () => {
    const chooser = createChooser('ROUND_ROBIN');
    const order = Array.from({ length: 7 }, () => chooser.choose(candidates(5, 1, 1)));
    expect(order).to.deep.equal([1, 1, 2, 1, 3, 1, 1]);
  });

  it('goes on in turn when a member comes or goes', () => {
    const chooser = createChooser('ROUND_ROBIN');
    const next = (...keys: readonly number[]) => chooser.choose(keys.map((key) => ({ key, weight: 1 })));
    expect([next(1, 2, 3), next(1, 2, 3), next(1, 3)]).to.deep.equal([1, 2, 3]);
    for (const keys of [
      [1, 3],
      [1, 2, 3],
    ]) {
      const order = Array.from({ length: 10 * keys.length }, () => next(...keys));
      for (const key of keys) expect(order.filter((one) => one === key).length).to.be.within(9, 11);
    }
  });

  it('has nobody where nobody serves', () => {
    expect(createChooser('ROUND_ROBIN').choose([])).to.equal(undefined);
    expect(createChooser('LEAST_CONNECTIONS').choose([])).to.equal(undefined);
  });
});

describe('least connections', () => {
  it('fills up in proportion to weights', () => {
    fc.assert(
      fc.property(weights, (some) => {
        const chooser = createChooser('LEAST_CONNECTIONS');
        const counts = some.map(() => 0);
        const total = some.reduce((a, b) => a + b);
        for (let i = 0; i < total; i++) counts[chooser.choose(candidates(...some))! - 1]!++;
        expect(counts).to.deep.equal(some);
      }),
      { numRuns: 50 },
    );
  });

  it('prefers who has the fewest, and knows ends', () => {
    const chooser = createChooser('LEAST_CONNECTIONS');
    const next = () => chooser.choose(candidates(1, 1, 1));
    expect(new Set([next(), next(), next()]).size).to.equal(3);
    chooser.ended(2);
    expect(next()).to.equal(2);
    chooser.ended(3);
    chooser.ended(3);
    expect([next(), next()].filter((one) => one === 3)).to.have.length(1);
  });

  it('takes turns among equals', () => {
    const chooser = createChooser('LEAST_CONNECTIONS');
    const order = Array.from({ length: 6 }, () => {
      const chosen = chooser.choose(candidates(1, 1, 1))!;
      chooser.ended(chosen);
      return chosen;
    });
    expect(order.slice(0, 3).sort()).to.deep.equal([1, 2, 3]);
    expect(order.slice(3)).to.deep.equal(order.slice(0, 3));
  });
});
