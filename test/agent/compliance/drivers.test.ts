/** What every driver must do. One list of cases, run over each driver that can run here. */
import { expect } from 'chai';
import type { SandboxDriver, SandboxParts } from '../../../src/agent/drivers/driver.ts';
import { AgentError } from '../../../src/agent/errors.ts';
import type { Naming, SandboxNames } from '../../../src/agent/names.ts';
import type { SandboxPlan } from '../../../src/agent/plan.ts';
import { IMAGES_TIMEOUT_MS } from '../../support/vm-images.ts';
import { answering, BAD, Bench, planOf, SILENT, VIP4 } from './bench.ts';
import { SUBJECTS, type Subject } from './drivers.ts';

const STEPS = ['create', 'plug', 'configure'] as const;
const UNDOING = ['stop', 'unplug', 'destroy'] as const;
type Step = (typeof STEPS)[number] | (typeof UNDOING)[number];

/** One sandbox in the hands of one agent. */
class Hands {
  readonly driver: SandboxDriver;
  readonly parts: SandboxParts;
  readonly #lost: string[] = [];
  #tell: (reason: string) => void = (reason) => void this.#lost.push(reason);

  constructor(driver: SandboxDriver, names: SandboxNames) {
    this.driver = driver;
    this.parts = driver.sandbox(names, (reason) => this.#tell(reason));
  }

  async take(steps: readonly Step[], plan: SandboxPlan): Promise<void> {
    for (const step of steps) {
      if (step === 'create') await this.parts.create(plan, { isDoubted: true });
      else if (step === 'plug' || step === 'configure') await this.parts[step](plan);
      else await this.parts[step]();
    }
  }

  make(plan: SandboxPlan): Promise<void> {
    return this.take(STEPS, plan);
  }

  async remove(): Promise<void> {
    for (const step of UNDOING) await this.parts[step]();
  }

  /** Resolves to why something was lost, now or in the past. */
  lost(): Promise<string> {
    const [reason] = this.#lost.splice(0);
    if (reason !== undefined) return Promise.resolve(reason);
    return new Promise((resolve) => {
      this.#tell = (now) => {
        this.#tell = (later) => void this.#lost.push(later);
        resolve(now);
      };
    });
  }

  /** The process that serves, as it calls itself. */
  async worker(): Promise<string> {
    const text = (await this.parts.observe()) ?? '';
    // What an earlier worker said last comes first.
    const pids = [...text.matchAll(/^Pid: (.*)$/gm)];
    expect(pids, text).not.to.deep.equal([]);
    return pids.at(-1)![1]!;
  }
}

async function refused(work: Promise<unknown>): Promise<AgentError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(AgentError);
  return error as AgentError;
}

for (const subject of SUBJECTS) {
  describe(`driver ${subject.placement}`, function () {
    this.timeout(subject.timeoutMs);
    complies(subject);
  });
}

function complies(subject: Subject): void {
  const bench = new Bench();
  const KEY = 7;
  let naming: Naming;
  let names: SandboxNames;
  let all: Hands[] = [];

  /** An agent that has just started. */
  const hands = async (): Promise<Hands> => {
    const driver = subject.create(bench);
    await driver.prepare();
    const made = new Hands(driver, names);
    all.push(made);
    return made;
  };
  /** As when its agent is killed: nothing is undone. */
  const abandon = (one: Hands): void => one.parts.release();
  const traces = async () => [...(await bench.leftovers(naming)), ...(await subject.leftovers(naming))];

  before(async function () {
    this.timeout(IMAGES_TIMEOUT_MS);
    const missing = await subject.missing();
    if (missing.length > 0) {
      process.stdout.write(`    skipped: this needs ${missing.join(', ')}\n`);
      this.skip();
    }
    await bench.up();
    naming = bench.naming(subject.placement);
    names = naming.of(KEY);
  });
  after(() => bench.down());

  /** Removes what there is, and sees that it is gone. */
  const clear = async (): Promise<void> => {
    for (const one of all.splice(0)) abandon(one);
    await (await hands()).remove();
    all = [];
    expect(await traces()).to.deep.equal([]);
  };
  const answers = async (word: string): Promise<void> => {
    expect(await bench.answers()).to.deep.equal([word, word]);
  };

  // One sandbox lives through all of it: a virtual machine takes its time to boot.
  describe('a sandbox', () => {
    let one: Hands;

    before(async () => {
      one = await hands();
    });
    after(clear);

    it('says what HAProxy says of a first configuration that is bad', async () => {
      const error = await refused(one.make(planOf(names, { config: BAD })));
      expect(error.code).to.equal('bad-config');
      expect(error.message).to.contain('nonsense');
    });

    it('answers pings while no HAProxy runs in it', async () => {
      const plan = planOf(names, { config: undefined });
      await one.make(plan);
      await one.make(plan);
      expect(one.parts.isSound(plan)).to.equal(true);
      for (const { address } of plan.addresses) await bench.inClient('ping', '-c', '1', '-W', '5', address);
    });

    it('serves both families, and is listed', async () => {
      await one.make(planOf(names));
      await answers('one');
      expect(one.parts.isSound(planOf(names))).to.equal(true);
      for (const found of [await one.driver.existing(), await one.driver.intact()])
        expect([...found]).to.deep.equal([KEY]);
    });

    it('is not disturbed when steps are repeated', async () => {
      const worker = await one.worker();
      await one.make(planOf(names));
      await one.parts.create(planOf(names), { isDoubted: false });
      expect(await one.worker()).to.equal(worker);
    });

    it('is plugged in with its MAC, its VLAN and its external ids', async () => {
      const plan = planOf(names, { vlan: 7, externalIds: { 'hostlb-host': 'h1', 'iface-id': 'some-vm' } });
      await one.make(plan);
      expect(await bench.vsctl('get', 'Port', names.link, 'tag')).to.equal('7');
      const ids = await bench.vsctl('get', 'Interface', names.link, 'external_ids');
      expect(ids).to.contain('iface-id=some-vm').and.to.contain('hostlb-host=h1');
      await bench.tag(7);
      await answers('one');
      expect(await bench.inClient('ip', 'neigh', 'show', '10.9.0.100')).to.contain(plan.mac);
      await bench.tag(0);
      // A sandbox that changes its VLAN is plugged in anew.
      await one.make(planOf(names));
      expect(one.parts.isSound(planOf(names))).to.equal(true);
      await answers('one');
    });

    it('is adopted by the next agent, which disturbs nothing', async () => {
      const worker = await one.worker();
      abandon(one);
      one = await hands();
      expect([...(await one.driver.existing())]).to.deep.equal([KEY]);
      await one.make(planOf(names));
      expect(await one.worker()).to.equal(worker);
    });

    it('serves a new configuration, and keeps the old one when HAProxy refuses the new', async () => {
      await one.make(planOf(names, { config: answering('two') }));
      await answers('two');
      const worker = await one.worker();
      const error = await refused(one.make(planOf(names, { config: BAD })));
      expect(error.code).to.equal('not-updated');
      expect(error.message).to.contain('nonsense');
      expect(await one.worker()).to.equal(worker);
      await answers('two');
    });

    it('serves nothing when the last listener goes', async () => {
      await one.make(planOf(names, { config: SILENT }));
      const refusal = await bench.inClient('curl', '-sS', `http://${VIP4}/`).catch((error: Error) => error.message);
      expect(refusal).to.match(/Failed to connect/);
      await one.make(planOf(names, { config: answering('two') }));
      await answers('two');
    });

    it('notices a kill, and starts with the old configuration when HAProxy refuses the new', async () => {
      await subject.kill(names);
      expect(await one.lost()).to.contain('HAProxy');
      expect((await refused(one.make(planOf(names, { config: BAD })))).code).to.equal('not-updated');
      await answers('two');
      await one.make(planOf(names, { config: answering('three') }));
      await answers('three');
    });

    it('shows when its port or its cable is gone, and is made whole', async () => {
      const plan = planOf(names, { config: answering('three') });
      await bench.vsctl('del-port', names.link);
      await bench.ports.unplug(names.link);
      expect(one.parts.isSound(plan)).to.equal(false);
      await one.make(plan);
      await answers('three');
    });

    it('is found by asking when it is frozen, and is made whole with the CPU and memory of its plan', async () => {
      await subject.freeze(names);
      const observed = one.parts.observe();
      expect(await one.lost()).to.contain('HAProxy');
      expect(await observed).to.equal(undefined);
      const plan = planOf(names, { flavor: { ...planOf(names).flavor, vcpus: 1, memoryMib: 160 } });
      await one.make(plan);
      await answers('one');
      expect(await subject.limits(names)).to.deep.equal({ vcpus: 1, memoryMib: 160 });
      // The next agent finds the limits in force, and removes what they took.
      abandon(one);
      one = await hands();
      await one.make(plan);
      expect(await subject.limits(names)).to.deep.equal({ vcpus: 1, memoryMib: 160 });
    });

    it('leaves nothing when it goes, and may go twice', async () => {
      await one.remove();
      expect(await traces()).to.deep.equal([]);
      expect([...(await one.driver.existing())]).to.deep.equal([]);
      await one.remove();
    });
  });

  describe('when its agent dies', () => {
    afterEach(clear);

    for (const [i, step] of STEPS.entries()) {
      it(`after ${step}, the next one finishes it; or removes it`, async () => {
        for (const isWanted of [true, false]) {
          const one = await hands();
          await one.take(STEPS.slice(0, i + 1), planOf(names));
          abandon(one);
          const two = await hands();
          expect([...(await two.driver.existing())]).to.deep.equal([KEY]);
          if (isWanted) {
            await two.make(planOf(names));
            await answers('one');
          }
          await two.remove();
          expect(await traces()).to.deep.equal([]);
        }
      });
    }

    for (const [i, step] of UNDOING.entries()) {
      it(`after ${step}, the next one makes it again; or removes it`, async () => {
        const one = await hands();
        await one.make(planOf(names));
        await one.take(UNDOING.slice(0, i + 1), planOf(names));
        abandon(one);
        const two = await hands();
        await two.make(planOf(names));
        await answers('one');
        await two.take(UNDOING.slice(0, i + 1), planOf(names));
        abandon(two);
        await (await hands()).remove();
        expect(await traces()).to.deep.equal([]);
      });
    }
  });

  describe('a name that is taken', () => {
    afterEach(clear);

    for (const foreign of subject.foreign) {
      it(`does not touch ${foreign.what} of its name that is not its own`, async () => {
        await foreign.make(names);
        try {
          const one = await hands();
          const error = await refused(one.make(planOf(names)));
          expect(error.code, error.message).to.equal('name-taken');
          expect(error.message).to.contain(names.name);
          await one.remove();
          expect(await foreign.exists(names)).to.equal(true);
        } finally {
          await foreign.remove(names);
        }
      });
    }
  });
}
