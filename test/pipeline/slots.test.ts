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
const keySet = (maxLength: number) => fc.uniqueArray(anyKey, { minLength: 2, maxLength });

const equal = (keys: readonly number[]): SlotMember[] => keys.map((key) => ({ key, weight: 1 }));
const others = (keys: readonly number[], ...gone: readonly number[]) => keys.filter((key) => !gone.includes(key));
const moved = (a: readonly number[], b: readonly number[]) => a.filter((key, slot) => key !== b[slot]).length;
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function counts(table: readonly number[]): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const key of table) found.set(key, (found.get(key) ?? 0) + 1);
  return found;
}

describe('slot tables', () => {
  it('have a serving member in every slot', () => {
    fc.assert(
      fc.property(pool(256), ({ serving, absent }) => {
        const table = slotTable(serving, absent);
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
        const found = counts(slotTable(serving, absent));
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
        const found = counts(slotTable(serving, absent));
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
    expect(slotTable([], equal([1, 2]))).to.deep.equal([]);
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
        expect(slotTable(serving, absent)).to.deep.equal(slotTable(servingToo, absentToo));
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
            const changed = slotTable(equal(others(keys, gone)), equal([gone]));
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
          const withoutA = slotTable(equal(others(keys, a)), equal([a]));
          const withoutB = slotTable(equal(others(keys, b)), equal([b]));
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
          const without = slotTable(equal(others(keys, a, b)), equal([a, b]));
          for (const [slot, key] of table.entries()) if (key !== a && key !== b) expect(without[slot]).to.equal(key);
        }),
      );
    });
  });

  describe('when one of N equal members is removed, or added', () => {
    it('change at most an eighth of all slots besides its own', () => {
      fc.assert(
        fc.property(keySet(64), fc.nat(), (keys, which) => {
          const gone = keys[which % keys.length]!;
          const table = slotTable(equal(keys));
          const own = counts(table).get(gone) ?? 0;
          expect(moved(table, slotTable(equal(others(keys, gone)))) - own).to.be.at.most(SLOTS / 8);
        }),
      );
    });

    // What docs/decisions/slot-tables.md tells, and a little more.
    for (const [members, times] of [
      [2, 1],
      [4, 1.12],
      [6, 1.2],
      [8, 1.3],
      [10, 1.37],
      [16, 1.75],
      [17, 1.75],
      [32, 3],
    ] as const) {
      it(`change up to ${times} ${members}ths on average, of ${members}`, () => {
        const distances = numbers(12).flatMap((set) => {
          const keys = numbers(members).map((nth) => set * 1009 + nth * 37);
          const table = slotTable(equal(keys));
          return keys.map((gone) => moved(table, slotTable(equal(others(keys, gone)))));
        });
        expect((mean(distances) * members) / SLOTS).to.be.within(0.999, times);
      });
    }
  });

  it('change little more than a changed weight gains or loses', () => {
    const change = fc.record({
      members: memberSet(16).filter(({ length }) => length > 1),
      weight: fc.integer({ min: 1, max: 256 }),
    });
    fc.assert(
      fc.property(change, ({ members, weight }) => {
        const [first, ...rest] = members;
        const before = slotTable(members);
        const after = slotTable([{ ...first!, weight }, ...rest]);
        const gained = Math.abs((counts(after).get(first!.key) ?? 0) - (counts(before).get(first!.key) ?? 0));
        expect(moved(before, after)).to.be.within(gained, gained + SLOTS / 4);
      }),
    );
  });
});
