import { expect } from 'chai';
import fc from 'fast-check';
import { SLOTS, type SlotMember, slotTable } from '../../src/pipeline/slots.ts';

const anyKey = fc.integer({ min: 1, max: 0x7ff_ffff });
const memberSet = (maxLength: number) =>
  fc.uniqueArray(fc.record({ key: anyKey, weight: fc.integer({ min: 1, max: 256 }) }), {
    minLength: 1,
    maxLength,
    selector: ({ key }) => key,
  });
/** Members of which some, at least one, serve. */
const pool = (maxLength: number) =>
  memberSet(maxLength).chain((members) =>
    fc.shuffledSubarray(members, { minLength: 1 }).map((serving) => {
      return { serving, absent: members.filter((member) => !serving.includes(member)) };
    }),
  );
/** The table while some are absent: what they have is lent out. */
const lent = (serving: readonly SlotMember[], absent: readonly SlotMember[]) =>
  slotTable(serving, slotTable([...serving, ...absent]));
const keySet = (maxLength: number) => fc.uniqueArray(anyKey, { minLength: 2, maxLength });

const equal = (keys: readonly number[]): SlotMember[] => keys.map((key) => ({ key, weight: 1 }));
const others = (keys: readonly number[], ...gone: readonly number[]) => keys.filter((key) => !gone.includes(key));
const moved = (a: readonly number[], b: readonly number[]) => a.filter((key, slot) => key !== b[slot]).length;
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

function counts(table: readonly number[]): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const key of table) found.set(key, (found.get(key) ?? 0) + 1);
  return found;
}

describe('slot tables', () => {
  it('have a serving member in every slot', () => {
    fc.assert(
      fc.property(pool(256), ({ serving, absent }) => {
        const table = lent(serving, absent);
        expect(table).to.have.length(SLOTS);
        expect(new Set(serving.map(({ key }) => key))).to.include.all.keys([...table]);
      }),
    );
  });

  it('give every member its weight within one slot, whoever is absent, wherever one slot each leaves enough for that', () => {
    fc.assert(
      fc.property(pool(60), ({ serving, absent }) => {
        const total = serving.reduce((sum, { weight }) => sum + weight, 0);
        const shares = serving.map(({ weight }) => (SLOTS * weight) / total);
        fc.pre(shares.reduce((sum, share) => sum + Math.max(1, Math.floor(share)), 0) <= SLOTS);
        const found = counts(lent(serving, absent));
        for (const [index, { key }] of serving.entries()) {
          expect(Math.abs((found.get(key) ?? 0) - shares[index]!), `member ${key}`).to.be.below(1);
        }
      }),
    );
  });

  it('give every member at least one slot, none much more than its share, and heavier ones no fewer', () => {
    fc.assert(
      fc.property(pool(256), ({ serving, absent }) => {
        const total = serving.reduce((sum, { weight }) => sum + weight, 0);
        const found = counts(lent(serving, absent));
        for (const a of serving) {
          const count = found.get(a.key) ?? 0;
          expect(count, `member ${a.key}`).to.be.within(1, Math.ceil((SLOTS * a.weight) / total));
          for (const b of serving) if (a.weight >= b.weight) expect(count + 1).to.be.at.least(found.get(b.key) ?? 0);
        }
      }),
    );
  });

  it('give the smallest of many a slot each, and the big ones equally much of the rest', () => {
    const big = numbers(50).map((key) => ({ key, weight: 256 }));
    const small = numbers(150).map((key) => ({ key: 1000 + key, weight: 1 }));
    const found = counts(slotTable([...big, ...small]));
    for (const { key } of small) expect(found.get(key)).to.equal(1);
    for (const { key } of big) expect(found.get(key)).to.be.within(2, 3);
  });

  it('give each of 256 members one slot, and 256 of more members', () => {
    expect(new Set(slotTable(equal(numbers(256))))).to.have.property('size', 256);
    expect(new Set(slotTable(equal(numbers(1000))))).to.have.property('size', 256);
  });

  it('are empty when nobody serves', () => {
    expect(slotTable([])).to.deep.equal([]);
    expect(lent([], equal([1, 2]))).to.deep.equal([]);
  });

  it('do not depend on the order of the members', () => {
    const shuffled = pool(40).chain(({ serving, absent }) =>
      fc.record({
        serving: fc.constant(serving),
        absent: fc.constant(absent),
        servingToo: fc.shuffledSubarray(serving, { minLength: serving.length }),
        absentToo: fc.shuffledSubarray(absent, { minLength: absent.length }),
      }),
    );
    fc.assert(
      fc.property(shuffled, ({ serving, absent, servingToo, absentToo }) => {
        expect(lent(serving, absent)).to.deep.equal(lent(servingToo, absentToo));
      }),
    );
  });

  it('are the same in every version, since hosts are upgraded one by one', () => {
    const table = slotTable([
      { key: 7, weight: 10 },
      { key: 9, weight: 5 },
      { key: 12, weight: 1 },
    ]);
    expect([...counts(table)].sort()).to.deep.equal([
      [12, 16],
      [7, 160],
      [9, 80],
    ]);
    expect(table.slice(0, 32).join(' ')).to.equal('7 12 9 9 12 7 9 7 9 7 9 7 7 12 7 7 9 9 9 9 7 9 9 7 7 7 9 9 9 9 7 7');
  });

  describe('when one of N equal members is absent', () => {
    it('change its slots, one Nth, and nothing else', () => {
      fc.assert(
        fc.property(keySet(64), (keys) => {
          const table = slotTable(equal(keys));
          for (const gone of keys) {
            const changed = lent(equal(others(keys, gone)), equal([gone]));
            const own = table.flatMap((key, slot) => (key === gone ? [slot] : []));
            expect(own.length).to.be.at.most(Math.ceil(SLOTS / keys.length));
            expect(table.flatMap((key, slot) => (key === changed[slot] ? [] : [slot]))).to.deep.equal(own);
          }
        }),
      );
    });

    it('are the same on hosts that miss different members, but for the slots of those', () => {
      fc.assert(
        fc.property(fc.uniqueArray(anyKey, { minLength: 3, maxLength: 64 }), (keys) => {
          const [a = 0, b = 0] = keys;
          const table = slotTable(equal(keys));
          const withoutA = lent(equal(others(keys, a)), equal([a]));
          const withoutB = lent(equal(others(keys, b)), equal([b]));
          for (const [slot, key] of table.entries())
            if (key !== a && key !== b) expect(withoutA[slot]).to.equal(withoutB[slot]);
        }),
      );
    });

    it('keep all other slots when a second one goes', () => {
      fc.assert(
        fc.property(fc.uniqueArray(anyKey, { minLength: 3, maxLength: 64 }), (keys) => {
          const [a = 0, b = 0] = keys;
          const table = slotTable(equal(keys));
          const without = lent(equal(others(keys, a, b)), equal([a, b]));
          for (const [slot, key] of table.entries()) if (key !== a && key !== b) expect(without[slot]).to.equal(key);
        }),
      );
    });
  });

  describe('with the table before', () => {
    it('are the same for the same members', () => {
      fc.assert(
        fc.property(memberSet(40), memberSet(40), (before, members) => {
          const table = slotTable(members, slotTable(before));
          expect(slotTable(members, table)).to.deep.equal(table);
        }),
      );
    });

    it('change one Nth, and nothing else, when one of N equal members is added or removed, after any history', () => {
      const steps = fc.array(fc.record({ adds: fc.boolean(), which: fc.nat() }), { maxLength: 40 });
      fc.assert(
        fc.property(keySet(40), steps, (first, history) => {
          let keys = [...first];
          let table = slotTable(equal(keys));
          for (const [step, { adds, which }] of history.entries()) {
            if (!adds && keys.length === 1) continue;
            const one = adds ? 0x800_0000 + step : keys[which % keys.length]!;
            keys = adds ? [...keys, one] : others(keys, one);
            const next = slotTable(equal(keys), table);
            const own = counts(adds ? next : table).get(one);
            expect(moved(table, next)).to.equal(own);
            expect(own).to.be.at.most(Math.ceil(SLOTS / (adds ? keys.length : keys.length + 1)));
            table = next;
          }
        }),
      );
    });

    it('change no more than members gain, whatever changes', () => {
      fc.assert(
        fc.property(memberSet(40), memberSet(40), memberSet(40), (...sets) => {
          let table: readonly number[] = [];
          for (const members of sets) {
            const next = slotTable(members, table);
            const [had, has] = [counts(table), counts(next)];
            const gained = [...has].reduce((sum, [key, count]) => sum + Math.max(0, count - (had.get(key) ?? 0)), 0);
            if (table.length > 0) expect(moved(table, next)).to.equal(gained);
            table = next;
          }
        }),
      );
    });
  });
});
