import { expect } from 'chai';
import { createLimiter } from '../../src/agent/limiter.ts';
import { createRounds } from '../../src/agent/rounds.ts';

describe('limiter', () => {
  it('runs so many at once and no more, all of them, in their order', async () => {
    const limit = createLimiter(2);
    const began: number[] = [];
    let running = 0;
    let most = 0;
    const works = [1, 2, 3, 4, 5].map((n) =>
      limit(async () => {
        began.push(n);
        running += 1;
        most = Math.max(most, running);
        await new Promise(setImmediate);
        running -= 1;
        if (n === 2) throw new Error('failed');
        return n;
      }).catch(() => 0),
    );
    expect(await Promise.all(works)).to.deep.equal([1, 0, 3, 4, 5]);
    expect(began).to.deep.equal([1, 2, 3, 4, 5]);
    expect(most).to.equal(2);
  });
});

describe('rounds', () => {
  it('visit everything in turn, and never what is being visited', async () => {
    const timing = { roundMs: 1, minGapMs: 1 };
    const items = ['a', 'b', 'c'];
    const visits: string[] = [];
    let enough = (): void => {};
    const visited = new Promise<void>((resolve) => {
      enough = resolve;
    });
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const rounds = createRounds({
      items: () => items,
      timing,
      visit: async (item) => {
        visits.push(item);
        if (visits.length === 7) enough();
        if (item === 'b') await gate;
      },
    });
    rounds.start();
    await visited;
    expect(visits.slice(0, 3)).to.deep.equal(['a', 'b', 'c']);
    expect(visits.filter((item) => item === 'b')).to.deep.equal(['b']);
    const stopped = rounds.stop();
    open();
    await stopped;
  });
});
