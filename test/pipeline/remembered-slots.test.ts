import { expect } from 'chai';
import fc from 'fast-check';
import { fullTable, type RememberedSlots, rememberSlots } from '../../src/pipeline/remembered-slots.ts';
import { slotTable } from '../../src/pipeline/slots.ts';
import { member } from '../model/fixtures.ts';
import { balancing } from '../support/model.ts';

/** A load balancer with one pool, always the same one, of members with these weights. */
const withWeights = (weights: readonly number[]) => {
  const members = weights.map((weight, i) => ({ ...member(`10.0.0.${i + 1}`), key: i + 1, weight }));
  return balancing('web', members, { vips: ['10.0.0.100'] });
};
const tableOf = (weights: readonly number[], remembered: RememberedSlots) =>
  fullTable(withWeights(weights).pools[0]!, 4, remembered);
const weightLists = fc.array(fc.array(fc.nat({ max: 256 }), { minLength: 1, maxLength: 12 }), {
  minLength: 1,
  maxLength: 8,
});

describe('remembered slot tables', () => {
  it('are what is there already: to remember, once or twice, changes no table', () => {
    fc.assert(
      fc.property(weightLists, (history) => {
        let remembered: RememberedSlots = {};
        for (const weights of history) {
          const table = tableOf(weights, remembered);
          const once = rememberSlots(withWeights(weights), remembered);
          expect(tableOf(weights, once)).to.deep.equal(table);
          expect(rememberSlots(withWeights(weights), once)).to.deep.equal(once);
          remembered = once;
        }
      }),
    );
  });

  it('are dealt from for the next change, and come back when it is taken back', () => {
    fc.assert(
      fc.property(weightLists, (history) => {
        let remembered: RememberedSlots = {};
        let before: readonly number[] | undefined;
        for (const [i, weights] of history.entries()) {
          const table = tableOf(weights, remembered);
          remembered = rememberSlots(withWeights(weights), remembered);
          const last = history[i - 1];
          if (last !== undefined && before !== undefined) {
            const back = tableOf(last, remembered);
            expect(back).to.deep.equal(before);
            // What was there again is as good as new.
            if (i > 1 && `${history[i - 2]}` === `${weights}`) return;
            expect(table).to.deep.equal(slotTable(sharesOf(weights), `${last}` === `${weights}` ? table : before));
          }
          before = table;
        }
      }),
    );
  });

  it('are of no use when they are not whole', () => {
    const weights = [1, 2, 3];
    const sound = rememberSlots(withWeights(weights), {});
    const [name, text] = Object.entries(sound)[0]!;
    for (const broken of ['', ';', 'x', text.slice(0, -1).trim().slice(0, -2), text.replace(/;\S+/, ';?')]) {
      expect(tableOf([3, 2, 1], { [name]: broken }), broken).to.deep.equal(tableOf([3, 2, 1], {}));
    }
  });
});

const sharesOf = (weights: readonly number[]) =>
  weights.map((weight, i) => ({ key: i + 1, weight })).filter(({ weight }) => weight > 0);
