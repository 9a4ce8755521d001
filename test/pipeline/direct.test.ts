import { expect } from 'chai';
import { residentsOf } from '../../src/controller/residents.ts';
import type { Algorithm, LoadBalancer } from '../../src/model/types.ts';
import { printFlow } from '../../src/openflow/index.ts';
import { createDesired, type Desired } from '../../src/pipeline/desired.ts';
import { frontsOf } from '../../src/pipeline/direct.ts';
import { poolGroup, readCookie, zonesOf } from '../../src/pipeline/ids.ts';
import { TABLES } from '../../src/pipeline/tables.ts';
import type { HostView } from '../../src/pipeline/view.ts';
import { blue, member, modelOf, red } from '../model/fixtures.ts';
import { balancerView, balancing, hostView, macOf, portView } from '../support/model.ts';

const MEMBERS = ['10.0.0.21', '10.0.0.22', 'fd00::21'].map((address) => member(address, 8080));
const VIPS = ['10.0.0.100', 'fd00::100'];
const FOUND = { '10.0.0.21': macOf(1), '10.0.0.22': macOf(22), 'fd00::21': macOf(1) };
const web = balancing('web', MEMBERS, { vips: VIPS, returnPath: 'direct', ports: [80, 443] });
const UPLINKS = [{ ofport: 9, tag: undefined }];

/** A host with these ports in a world of these load balancers; the first `present` of them have clients here. */
function view(
  parts: Partial<Pick<HostView, 'ports'>> & {
    readonly loadBalancers?: readonly LoadBalancer[];
    readonly present?: readonly LoadBalancer[];
    readonly found?: Readonly<Record<string, string>>;
  } = {},
): HostView {
  const { ports = [], loadBalancers = [web], present = [], found = FOUND } = parts;
  const model = { ...modelOf({ loadBalancers }), neighbours: new Map([[blue.id, found]]) };
  return hostView({
    ports,
    uplinks: UPLINKS,
    balancers: present.map((one) => balancerView(one)),
    residents: residentsOf(model, ports),
    neighbours: { [blue.id]: found },
  });
}

function desiredOf(of: HostView): Desired {
  const desired = createDesired();
  desired.update(of);
  return desired;
}
const lines = ({ flows }: Desired, table?: keyof typeof TABLES): string[] =>
  [...flows.values()]
    .filter(({ value }) => table === undefined || value.tableId === TABLES[table])
    .map(({ value }) => printFlow(value));
const countOf = (texts: readonly string[], pattern: RegExp) => texts.filter((text) => pattern.test(text)).length;

describe('return path direct', () => {
  describe("on a client's host", () => {
    const client = desiredOf(view({ ports: [portView(3)], present: [web] }));

    it('asks conntrack nothing, but for members that are their own clients', () => {
      const asking = lines(client).filter((line) => line.includes('actions=ct('));
      const tables = [TABLES.service, TABLES.hairpin_reply, TABLES.hairpin, TABLES.recall];
      for (const line of asking) expect(line).to.match(new RegExp(`table=(${tables.join('|')}),`));
      expect(countOf(lines(client, 'service'), /tp_src=8080.*ct\(/)).to.equal(MEMBERS.length);
      expect(lines(client, 'service').filter((line) => line.includes('group:'))).to.have.length(4);
    });

    it('picks by fields that are named, so that every host picks the same', () => {
      const pickedBy = (algorithm: Algorithm) => {
        const pool = { ...web.pools[0]!, algorithm };
        const listeners = web.listeners.map((one) => ({ ...one, defaultPool: pool }));
        const { groups } = desiredOf(view({ ports: [portView(3)], present: [{ ...web, listeners, pools: [pool] }] }));
        return ([4, 6] as const).map((family) => {
          const { value } = groups.get(String(poolGroup(pool.key, family)))!;
          expect(value).to.include({ selectionMethod: 'hash', selectionParam: 0n });
          return Object.keys(value.selectionFields!).sort().join();
        });
      };
      expect(pickedBy('SOURCE_IP')).to.deep.equal(['ip_src', 'ipv6_src']);
      expect(pickedBy('SOURCE_IP_PORT')).to.deep.equal(['ip_src,tcp_dst,tcp_src', 'ipv6_src,tcp_dst,tcp_src']);
    });

    it('has the same groups whatever is plugged in', () => {
      const other = desiredOf(view({ ports: [portView(1), portView(4)], present: [web] }));
      expect([...other.groups.values()].map(({ body }) => body)).to.deep.equal(
        [...client.groups.values()].map(({ body }) => body),
      );
    });

    it('lets every member answer as the VIP from every listener’s port, and nobody else', () => {
      const allowed = lines(client, 'guard').filter((line) => line.includes('priority=210'));
      const ways = [macOf(1), macOf(22)].flatMap((mac) => [80, 443].map((port) => ({ mac, port })));
      for (const { mac, port } of ways) {
        expect(countOf(allowed, new RegExp(`dl_src=${mac}.*nw_src=10.0.0.100,tp_src=${port}`))).to.equal(1);
      }
      expect(allowed).to.have.length(ways.length + 2);
      for (const line of allowed) expect(line).to.include('reg4=0x2');
    });

    it('has no slots for a member that nobody has found, and no way to it', () => {
      const { '10.0.0.22': _, ...found } = FOUND;
      const lost = desiredOf(view({ ports: [portView(3)], present: [web], found }));
      expect(lines(lost, 'commit')).to.have.length(3);
      expect(lines(lost).join('\n')).to.not.include(macOf(22));
    });

    it('a MAC that changes costs the ways to this member, and no load balancer', () => {
      const desired = desiredOf(view({ ports: [portView(3)], present: [web] }));
      const before = desired.computed;
      const change = desired.update(
        view({ ports: [portView(3)], present: [web], found: { ...FOUND, '10.0.0.22': macOf(99) } }),
      );
      // The neighbour, the way to it, and what it may speak as: two listeners.
      expect(desired.computed - before).to.equal(4);
      expect(change.groups.size).to.equal(0);
    });
  });

  describe("on a member's host", () => {
    const ports = [portView(1), portView(2), portView(7, { network: red })];
    const home = desiredOf(view({ ports }));

    it('that has no client there are flows for that member’s port and the uplinks, and for no other port', () => {
      const ingress = lines(home, 'ingress').join('\n');
      expect(ingress)
        .to.include('in_port=1,')
        .and.to.include('in_port=9,')
        .and.not.match(/in_port=[27],/);
      expect(home.groups.size).to.equal(0);
      for (const table of ['vip', 'answer', 'service'] as const) {
        for (const line of lines(home, table)) expect(line, 'of a balancer').to.not.include('reg2');
      }
    });

    it('translates what arrives for its MAC, VIP and listener, and back what comes from its port', () => {
      const { direct } = zonesOf(blue.key);
      const arriving = lines(home, 'arrive').filter((line) => line.includes('priority=100'));
      expect(countOf(arriving, new RegExp(`ct\\(commit,zone=${direct},nat\\(dst=10.0.0.21:8080\\)\\)`))).to.equal(2);
      expect(countOf(arriving, new RegExp(`ct\\(commit,zone=${direct},nat\\(dst=\\[fd00::21\\]:8080\\)\\)`))).to.equal(
        2,
      );
      expect(arriving).to.have.length(4);
      const leaving = lines(home, 'reply').filter((line) => line.includes(`ct(zone=${direct},nat)`));
      expect(leaving).to.have.length(2);
      for (const line of leaving) expect(line).to.match(/in_port=1,.*tp_src=8080/);
    });

    it('gives the flows the cookie of the load balancer, or of the network where several share them', () => {
      const cookies = [...home.flows.values()].map(({ value }) => readCookie(value.cookie)!);
      expect(cookies.filter(({ kind }) => kind === 'load_balancer').every(({ key }) => key === web.key)).to.equal(true);
      expect(cookies.filter(({ kind }) => kind === 'service').every(({ key }) => key === blue.key)).to.equal(true);
    });

    it('has nothing once the member has moved, and the new host has it', () => {
      const desired = desiredOf(view({ ports }));
      desired.update(view({ ports: ports.slice(1) }));
      expect(desired.flows.size).to.equal(0);
      expect(lines(desiredOf(view({ ports: [portView(5, { mac: macOf(1) })] })), 'ingress').join()).to.include(
        'in_port=5,',
      );
    });

    it('gives one of several members behind one MAC what is for them all', () => {
      const twins = [member('10.0.0.21', 8081), member('10.0.0.21', 8082)];
      const twice = balancing('twice', twins, { returnPath: 'direct' });
      const both = view({ ports, loadBalancers: [twice], present: [twice] });
      const arriving = lines(desiredOf(both), 'arrive').filter((line) => line.includes('priority=100'));
      expect(arriving).to.have.length(1);
      expect(arriving[0]).to.include('10.0.0.21:8081');
    });

    it('shares a member with a load balancer whose replies pass the balancer', () => {
      const tracked = balancing('tracked', MEMBERS, { vips: ['10.0.0.101'] });
      const shared = desiredOf(view({ ports, loadBalancers: [web, tracked], present: [tracked] }));
      expect(countOf(lines(shared, 'depart'), /nw_src=10.0.0.2[12],tp_src=8080 actions=resubmit\(,113\)/)).to.equal(2);
      expect(countOf(lines(home, 'depart'), /resubmit/)).to.equal(0);
    });
  });

  describe('members on a host', () => {
    const at = (loadBalancers: readonly LoadBalancer[], ports = [portView(1)], found = FOUND) =>
      residentsOf({ ...modelOf({ loadBalancers }), neighbours: new Map([[blue.id, found]]) }, ports);

    it('are those whose MAC a port of the network has', () => {
      expect(at([web]).map(({ member, ofport }) => [member.address, ofport])).to.deep.equal([
        ['10.0.0.21', 1],
        ['fd00::21', 1],
      ]);
      expect(at([web], [portView(1, { network: red })])).to.deep.equal([]);
      expect(at([web], [portView(3)])).to.deep.equal([]);
    });

    it('count only where members answer themselves, and while their load balancer and a listener are on', () => {
      const off = web.listeners.map((one) => ({ ...one, adminStateUp: false }));
      for (const over of [
        { returnPath: 'balancer' },
        { placement: 'namespace' },
        { adminStateUp: false },
        { listeners: off },
      ] as const) {
        expect(at([{ ...web, ...over }]), Object.keys(over)[0]!).to.deep.equal([]);
      }
    });

    it('are found anew when MACs or load balancers change', () => {
      const loadBalancers = modelOf({ loadBalancers: [web] }).loadBalancers;
      const model = { ...modelOf({}), loadBalancers };
      const now = (found: Readonly<Record<string, string>>) =>
        residentsOf({ ...model, neighbours: new Map([[blue.id, found]]) }, [portView(1)]).length;
      expect([now(FOUND), now({}), now(FOUND)]).to.deep.equal([2, 0, 2]);
    });

    it('speak as the VIP of their own family', () => {
      expect(frontsOf(web, MEMBERS[2]!, web.listeners)).to.deep.equal([
        { vip: 'fd00::100', port: 80, transport: 'tcp' },
        { vip: 'fd00::100', port: 443, transport: 'tcp' },
      ]);
    });
  });
});
