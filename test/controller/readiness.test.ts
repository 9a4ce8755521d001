import { expect } from 'chai';
import { createReadiness } from '../../src/controller/readiness.ts';

describe('the time until a balancer serves', () => {
  let nowMs = 0;
  const make = () => {
    nowMs = 1_000;
    return createReadiness(() => nowMs);
  };

  it('counts from when it was first wanted, and is told once', () => {
    const readiness = make();
    readiness.waits('web');
    nowMs += 150;
    readiness.waits('web');
    nowMs += 50;
    expect(readiness.lastMs('web')).to.equal(undefined);
    expect([readiness.serves('web'), readiness.serves('web')]).to.deep.equal([200, undefined]);
    expect(readiness.lastMs('web')).to.equal(200);
  });

  it('counts again when it breaks', () => {
    const readiness = make();
    readiness.waits('web');
    readiness.serves('web');
    nowMs += 5_000;
    readiness.waits('web');
    nowMs += 70;
    expect(readiness.serves('web')).to.equal(70);
  });

  it('is unknown for those that served before anybody looked', () => {
    expect(make().serves('web')).to.equal(undefined);
  });

  it('is forgotten with the balancer', () => {
    const readiness = make();
    readiness.waits('web');
    readiness.serves('web');
    readiness.waits('dns');
    readiness.keep(new Set());
    expect([readiness.lastMs('web'), readiness.serves('dns')]).to.deep.equal([undefined, undefined]);
  });
});
