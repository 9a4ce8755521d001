import { expect } from 'chai';
import { AgentError } from '../../src/agent/errors.ts';
import { createNaming } from '../../src/agent/names.ts';
import { planInput, planSandbox } from '../../src/agent/plan.ts';
import { EMPTY_MODEL } from '../../src/model/lookup.ts';
import { sandboxAddresses } from '../../src/model/sandbox.ts';
import { blue, h1, healthMonitor, listener, loadBalancer, member, pool } from './model.ts';

const naming = createNaming({ host: 'h1', runDir: '/run/hostlb', placement: 'namespace' });
const surroundings = { statsSocket: '/s', stateFile: '/f', chroot: '/c', maxFiles: 1024 };

describe('names of a sandbox', () => {
  it('fit the kernel, and lead back to the key', () => {
    for (const key of [1, 35, 36, 134_217_727]) {
      const { link, name } = naming.of(key);
      expect(link.length).to.be.at.most(15);
      expect(naming.keyOf(link)).to.equal(key);
      expect(name).to.match(new RegExp(`^hostlb-h1-${key}-`));
    }
  });

  it('differ between hosts, run directories and placements, and are not taken for each other', () => {
    const others = [
      createNaming({ host: 'h2', runDir: '/run/hostlb', placement: 'namespace' }),
      createNaming({ host: 'h1', runDir: '/run/other', placement: 'namespace' }),
      createNaming({ host: 'h1', runDir: '/run/hostlb', placement: 'container' }),
    ];
    for (const other of others) {
      expect(other.of(5).name).not.to.equal(naming.of(5).name);
      expect(naming.keyOf(other.of(5).link)).to.equal(undefined);
    }
    for (const strange of ['hlb', 'vm-c1', 'hlb5', 'empty', 'br-int'])
      expect(naming.keyOf(strange)).to.equal(undefined);
  });

  it('need a run directory short enough for sockets', () => {
    const runDir = `/run/${'x'.repeat(90)}`;
    expect(() => createNaming({ host: 'h1', runDir, placement: 'namespace' })).to.throw(
      AgentError,
      `run directory ${runDir} is too long`,
    );
  });
});

describe('addresses of a sandbox', () => {
  it('are the VIPs, with the length of their subnets', () => {
    expect(sandboxAddresses(loadBalancer([]))).to.deep.equal([
      { family: 4, address: '10.0.0.100', prefixLength: 24, isVip: true },
      { family: 6, address: 'fd00::100', prefixLength: 64, isVip: true },
    ]);
  });

  it('are internal where there is no VIP, and differ between load balancers', () => {
    const internal = (key: number, vip: string) =>
      sandboxAddresses(loadBalancer([], { key, vips: [vip] })).find(({ isVip }) => !isVip);
    expect(internal(7, 'fd00::100')).to.deep.equal({
      family: 4,
      address: '169.254.1.7',
      prefixLength: 32,
      isVip: false,
    });
    expect(internal(258, '10.0.0.100')).to.deep.equal({
      family: 6,
      address: 'fd68:6f73:746c:62::102',
      prefixLength: 128,
      isVip: false,
    });
    const keys = [0, 1, 255, 256, 257, 65_000, 254 * 256 - 1];
    expect(new Set(keys.map((key) => internal(key, 'fd00::100')!.address)).size).to.equal(keys.length);
    expect(internal(254 * 256 - 1, 'fd00::100')!.address).to.equal('169.254.254.255');
  });
});

describe('plan of a sandbox', () => {
  const plan = (given: Parameters<typeof loadBalancer>[1], listeners = [listener('http', undefined)]) =>
    planSandbox(planInput(EMPTY_MODEL, { loadBalancer: loadBalancer(listeners, given), host: h1 }, new Set()), {
      names: naming.of(7),
      surroundings,
    });

  it('routes to the subnets in which it has no address', () => {
    const network = { ...blue, vlan: 9, subnets: ['10.0.0.0/24', '10.1.0.0/16', 'fd00::/64'] };
    const { routes, vlan } = plan({ network, vips: ['10.0.0.100'] });
    expect(vlan).to.equal(9);
    expect(routes).to.deep.equal([
      { subnet: '10.1.0.0/16', source: '10.0.0.100' },
      { subnet: 'fd00::/64', source: 'fd68:6f73:746c:62::7' },
    ]);
  });

  it('keeps the ports of all listeners free, also of those that are down', () => {
    const listeners = [listener('a', undefined), listener('b', undefined, { protocolPort: 81, adminStateUp: false })];
    expect(plan({}, listeners).reservedPorts).to.deep.equal([80, 81]);
    const udp = listener('c', undefined, { protocolPort: 53, protocol: 'UDP' });
    expect(plan({}, [...listeners, udp]).reservedPorts).to.deep.equal([80, 81]);
  });

  it('is made anew when a member that a pool wants near comes to this host, or its flavor changes', () => {
    const mac = '52:54:00:00:00:01';
    const near = pool('p', [member('10.0.0.21'), member('10.0.0.22')], { locality: 'prefer' });
    const far = pool('q', [member('10.0.0.21')]);
    const model = { ...EMPTY_MODEL, neighbours: new Map([[blue.id, { '10.0.0.21': mac }]]) };
    const input = (one: typeof near, macs: readonly string[]) =>
      planInput(model, { loadBalancer: loadBalancer([listener('http', one)]), host: h1 }, new Set(macs));
    expect([...input(near, [mac]).localAddresses]).to.deep.equal(['10.0.0.21']);
    expect([...input(near, []).localAddresses]).to.deep.equal([]);
    expect(input(near, [mac]).identity).not.to.equal(input(near, []).identity);
    expect(input(far, [mac]).identity).to.equal(input(far, []).identity);
  });

  it('is made anew when the controllers, which ask for it, find that a member is well or ill', () => {
    const [first, second] = [member('10.0.0.21'), member('10.0.0.22')];
    const pinged = pool('p', [first, second], { healthMonitor: healthMonitor('PING') });
    const checked = pool('q', [member('10.0.0.23')], { healthMonitor: healthMonitor('TCP') });
    const of = loadBalancer([listener('a', pinged), listener('b', checked)]);
    const input = (health: Readonly<Record<string, 'ONLINE' | 'ERROR'>>) => {
      const model = { ...EMPTY_MODEL, probed: new Map([[of.id, { health, hosts: {} }]]) };
      return planInput(model, { loadBalancer: of, host: h1 }, new Set());
    };
    expect([...input({}).illMembers]).to.deep.equal([first.id, second.id]);
    const well = input({ [first.id]: 'ONLINE', [second.id]: 'ERROR' });
    expect([...well.illMembers]).to.deep.equal([second.id]);
    expect(well.identity).not.to.equal(input({}).identity);
  });
});
