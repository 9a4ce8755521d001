/** What every driver must do. One list of cases, run over each driver that can run here. */
import { expect } from 'chai';
import type { SandboxDriver, SandboxParts } from '../../../src/agent/drivers/driver.ts';
import { AgentError } from '../../../src/agent/errors.ts';
import type { Naming, SandboxNames } from '../../../src/agent/names.ts';
import type { SandboxPlan } from '../../../src/agent/plan.ts';
import { IMAGES_TIMEOUT_MS } from '../../support/vm-images.ts';
import { answering, BAD, Bench, planOf } from './bench.ts';
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

  afterEach(async () => {
    for (const one of all.splice(0)) abandon(one);
    await (await hands()).remove();
    all = [];
    expect(await traces()).to.deep.equal([]);
  });

  it('serves both families when it is made, and leaves nothing when it goes', async () => {
    const one = await hands();
    await one.make(planOf(names));
    expect(await bench.answers()).to.deep.equal(['one', 'one']);
    expect(one.parts.isSound(planOf(names))).to.equal(true);
    for (const found of [await one.driver.existing(), await one.driver.intact()])
      expect([...found]).to.deep.equal([KEY]);
    await one.remove();
    expect(await traces()).to.deep.equal([]);
    expect([...(await one.driver.existing())]).to.deep.equal([]);
  });

  it('disturbs nothing when steps are repeated', async () => {
    const one = await hands();
    await one.make(planOf(names));
    const worker = await one.worker();
    await one.make(planOf(names));
    await one.parts.create(planOf(names), { isDoubted: false });
    expect(await one.worker()).to.equal(worker);
    await one.remove();
    await one.remove();
  });

  it('plugs in with its MAC, its VLAN and its external ids', async () => {
    const one = await hands();
    const plan = planOf(names, { vlan: 7, externalIds: { 'hostlb-host': 'h1', 'iface-id': 'some-vm' } });
    await one.make(plan);
    expect(await bench.vsctl('get', 'Port', names.link, 'tag')).to.equal('7');
    const ids = await bench.vsctl('get', 'Interface', names.link, 'external_ids');
    expect(ids).to.contain('iface-id=some-vm').and.to.contain('hostlb-host=h1');
    await bench.tag(7);
    expect(await bench.answers()).to.deep.equal(['one', 'one']);
    expect(await bench.inClient('ip', 'neigh', 'show', '10.9.0.100')).to.contain(plan.mac);
    await bench.tag(0);
    // A sandbox that changes its VLAN is plugged in anew.
    await one.make(planOf(names));
    expect(one.parts.isSound(planOf(names))).to.equal(true);
    expect(await bench.answers()).to.deep.equal(['one', 'one']);
  });

  it('serves a new configuration, and keeps the old one when HAProxy refuses the new', async () => {
    const one = await hands();
    await one.make(planOf(names));
    await one.make(planOf(names, { config: answering('two') }));
    expect(await bench.answers()).to.deep.equal(['two', 'two']);
    const worker = await one.worker();
    const error = await refused(one.make(planOf(names, { config: BAD })));
    expect(error.code).to.equal('not-updated');
    expect(error.message).to.contain('nonsense');
    expect(await one.worker()).to.equal(worker);
    expect(await bench.answers()).to.deep.equal(['two', 'two']);
    // Also when HAProxy has to be started while the bad one is wanted.
    await subject.kill(names);
    await one.lost();
    expect((await refused(one.make(planOf(names, { config: BAD })))).code).to.equal('not-updated');
    expect(await bench.answers()).to.deep.equal(['two', 'two']);
    await one.make(planOf(names, { config: answering('three') }));
    expect(await bench.answers()).to.deep.equal(['three', 'three']);
  });

  it('says what HAProxy says of a first configuration that is bad', async () => {
    const one = await hands();
    const error = await refused(one.make(planOf(names, { config: BAD })));
    expect(error.code).to.equal('bad-config');
    expect(error.message).to.contain('nonsense');
    await one.make(planOf(names));
    expect(await bench.answers()).to.deep.equal(['one', 'one']);
  });

  for (const harm of ['kill', 'freeze'] as const) {
    it(`notices a ${harm}, and is made whole`, async () => {
      const one = await hands();
      await one.make(planOf(names));
      await subject[harm](names);
      // A frozen one is found by asking.
      const observed = harm === 'freeze' ? one.parts.observe() : undefined;
      expect(await one.lost()).to.contain('HAProxy');
      expect(await observed).to.equal(undefined);
      await one.make(planOf(names));
      expect(await bench.answers()).to.deep.equal(['one', 'one']);
    });
  }

  it('shows when its port or its cable is gone, and is made whole', async () => {
    const one = await hands();
    const plan = planOf(names);
    await one.make(plan);
    await bench.vsctl('del-port', names.link);
    await bench.ports.unplug(names.link);
    expect(one.parts.isSound(plan)).to.equal(false);
    await one.make(plan);
    expect(await bench.answers()).to.deep.equal(['one', 'one']);
  });

  it('is adopted by the next agent, which disturbs nothing and watches it', async () => {
    const one = await hands();
    await one.make(planOf(names));
    const worker = await one.worker();
    abandon(one);
    const two = await hands();
    expect([...(await two.driver.existing())]).to.deep.equal([KEY]);
    await two.make(planOf(names));
    expect(await two.worker()).to.equal(worker);
    await two.make(planOf(names, { config: answering('two') }));
    expect(await bench.answers()).to.deep.equal(['two', 'two']);
    await subject.kill(names);
    expect(await two.lost()).to.contain('HAProxy');
  });

  for (const [i, step] of STEPS.entries()) {
    const done = STEPS.slice(0, i + 1);
    it(`is finished by the next agent when the one before died after ${step}`, async () => {
      const one = await hands();
      await one.take(done, planOf(names));
      abandon(one);
      const two = await hands();
      await two.make(planOf(names));
      expect(await bench.answers()).to.deep.equal(['one', 'one']);
    });

    it(`is removed by the next agent when the one before died after ${step}`, async () => {
      const one = await hands();
      await one.take(done, planOf(names));
      abandon(one);
      const two = await hands();
      expect([...(await two.driver.existing())]).to.deep.equal([KEY]);
      await two.remove();
      expect(await traces()).to.deep.equal([]);
    });
  }

  for (const [i, step] of UNDOING.entries()) {
    const done = UNDOING.slice(0, i + 1);
    it(`is finished or removed by the next agent when the one before died after ${step}`, async () => {
      for (const isWanted of [true, false]) {
        const one = await hands();
        await one.make(planOf(names));
        await one.take(done, planOf(names));
        abandon(one);
        const two = await hands();
        if (isWanted) {
          await two.make(planOf(names));
          expect(await bench.answers()).to.deep.equal(['one', 'one']);
        }
        await two.remove();
        expect(await traces()).to.deep.equal([]);
      }
    });
  }

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

  it('has the CPU and memory that its plan gives it', async () => {
    const one = await hands();
    const flavor = { ...planOf(names).flavor, vcpus: 1, memoryMib: 160 };
    await one.make(planOf(names, { flavor }));
    expect(await subject.limits(names)).to.deep.equal({ vcpus: 1, memoryMib: 160 });
    expect(await bench.answers()).to.deep.equal(['one', 'one']);
    // The next agent finds the limits in force, and removes what they took.
    abandon(one);
    const two = await hands();
    await two.make(planOf(names, { flavor }));
    expect(await subject.limits(names)).to.deep.equal({ vcpus: 1, memoryMib: 160 });
    await two.remove();
    expect(await traces()).to.deep.equal([]);
  });

  it('answers pings where no HAProxy runs in it', async () => {
    const one = await hands();
    const plan = planOf(names, { config: undefined });
    await one.make(plan);
    await one.make(plan);
    expect(one.parts.isSound(plan)).to.equal(true);
    for (const { address } of plan.addresses) await bench.inClient('ping', '-c', '1', '-W', '5', address);
  });
}
