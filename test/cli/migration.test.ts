import { expect } from 'chai';
import { parse } from 'yaml';
import { type ApiFixture, addBlue, addWeb, startApi } from '../support/api.ts';
import { hostlb, type Ran, type RunOptions } from '../support/cli.ts';

/** As `ipvsadm -S -n` of version 1.31 prints. */
const IPVS = `\
-A -t 10.0.0.100:80 -s wrr
-a -t 10.0.0.100:80 -r 10.0.0.21:80 -m -w 3
-a -t 10.0.0.100:80 -r 10.0.0.22:8080 -m -w 0
-A -t 10.0.0.100:443 -s sh -b sh-port
-a -t 10.0.0.100:443 -r 10.0.0.21:443 -g -w 1
-A -u 10.0.0.101:53 -s rr
-a -u 10.0.0.101:53 -r 10.0.0.21:53 -m -w 7
-A -t [fd00::100]:80 -s wlc
-a -t [fd00::100]:80 -r [fd00::21]:80 -m -w 1
`;

/** As `ovn-nbctl -f json list load_balancer` of OVN 23.03 prints. */
const OVN = JSON.stringify({
  data: [
    [
      ...[['uuid', 'a8f842c4-430c-4811-8cea-f4707d34e5e5'], ['map', []], ['set', []], ['map', []], 'lb0', ['map', []]],
      'tcp',
      ['set', []],
      [
        'map',
        [
          ['10.0.0.100:443', '10.0.0.21:443'],
          ['10.0.0.100:80', '10.0.0.23:80,10.0.0.24:80'],
          ['10.0.0.101:81', '10.0.0.21:81'],
          ['[fd00::100]:80', '[fd00::21]:80'],
        ],
      ],
    ],
    [
      ...[['uuid', '3efcabad-7573-4053-b639-9d9d8953a88b'], ['map', []], ['set', []], ['map', []], 'lb2'],
      ...[['map', []], 'udp', ['set', ['ip_dst', 'ip_src']]],
      ['map', [['10.0.0.102:53', '10.0.0.21:53']]],
    ],
  ],
  headings: [
    ...['_uuid', 'external_ids', 'health_check', 'ip_port_mappings', 'name', 'options', 'protocol'],
    ...['selection_fields', 'vips'],
  ],
});

describe('CLI: export and import', () => {
  let api: ApiFixture;
  let url: string;
  before(async () => {
    api = await startApi();
    url = await api.listen();
  });
  after(() => api.stop());
  beforeEach(() => addBlue(api.store));
  afterEach(() => api.clear());

  const run = (line: string, options: RunOptions = {}): Promise<Ran> =>
    hostlb(line.split(' '), { api: url, ...options });
  const ok = async (line: string, stdin = ''): Promise<string> => {
    const { code, stdout, stderr } = await run(line, { stdin });
    expect([code, stderr], line).to.deep.equal([0, '']);
    return stdout;
  };
  const outcomes = async (line: string, stdin: string): Promise<unknown> =>
    JSON.parse(await ok(`${line} -o json`, stdin)).map(
      ({ name, outcome }: { name: string; outcome: string }) => `${name} ${outcome}`,
    );
  const listed = async (): Promise<string[]> =>
    (JSON.parse(await ok('lb-list -o json')) as { name: string; protocol: string; vip: string; ips: string[] }[]).map(
      ({ name, protocol, vip, ips }) => `${name} ${protocol} ${vip} ${ips}`,
    );

  it('takes over what ipvsadm -S -n prints, once and for all, and prints it again', async () => {
    const all = ['10.0.0.100', '10.0.0.101', 'fd00::100'];
    expect(await outcomes('import --format ipvsadm -f -', IPVS)).to.deep.equal(all.map((name) => `${name} created`));
    expect(await outcomes('import --format ipvsadm -f -', IPVS)).to.deep.equal(all.map((name) => `${name} unchanged`));
    const exported = (await ok('export --format ipvsadm')).trimEnd().split('\n');
    const wanted = IPVS.replace(' -g ', ' -m ').replace('-s rr', '-s wrr').replace('-w 7', '-w 1');
    expect(exported).to.have.members(wanted.trimEnd().split('\n'));
  });

  it('takes over what ovn-nbctl lists', async () => {
    await ok('import --format ovn -f -', OVN);
    expect(await listed()).to.have.members([
      'lb0 tcp 10.0.0.100:443 10.0.0.21:443',
      'lb0 tcp 10.0.0.100:80 10.0.0.23:80,10.0.0.24:80',
      'lb0 tcp [fd00::100]:80 [fd00::21]:80',
      'lb0-10.0.0.101 tcp 10.0.0.101:81 10.0.0.21:81',
      'lb2 udp 10.0.0.102:53 10.0.0.21:53',
    ]);
    expect((await ok('export --format ovn --name lb2')).trimEnd().split('\n')).to.deep.equal([
      'ovn-nbctl --may-exist lb-add lb2-udp 10.0.0.102:53 10.0.0.21:53 udp',
      'ovn-nbctl set load_balancer lb2-udp selection_fields=ip_src',
    ]);
  });

  it('keeps a source with its member where the program did', async () => {
    const text = '-A -t 10.0.0.100:80 -s wlc -p 300\n-a -t 10.0.0.100:80 -r 10.0.0.21:80 -m -w 1\n';
    await ok('import --format ipvsadm --placement namespace --network blue -f -', text);
    expect(await ok('export --format ipvsadm')).to.equal(text);
    const { code, stdout, stderr } = await run('export --format ovn');
    expect([code, stdout.split('\n')[1]]).to.deep.equal([
      0,
      'ovn-nbctl set load_balancer 10.0.0.100 options:affinity_timeout=300',
    ]);
    expect(stderr).to.equal('hostlb: 10.0.0.100: OVN has no LEAST_CONNECTIONS, it goes by a hash\n');
  });

  it('exports as YAML what apply makes again, all of it', async () => {
    const web = await addWeb(api.store);
    const [servers] = web.pools;
    const sessionPersistence = { type: 'SOURCE_IP', timeoutSeconds: 60, granularity: '255.255.255.0' } as const;
    await api.store.updatePool(servers!.id, { sessionPersistence, tags: ['p'] });
    await api.store.updateMember(servers!.id, servers!.members[0]!.id, { tags: ['m1', 'm2'] });
    await api.store.updateListener(web.listeners[0]!.id, { tags: ['l'] });
    await api.store.updateLoadBalancer(web.id, { tags: ['w'] });
    await ok('network set blue --no-anti-spoofing');
    const monitor = '--type HTTP --delay 5 --timeout 3 --max-retries 3 --expected-codes 200-204';
    await ok('lb create --name shop --network blue --placement namespace --owner acme --description x');
    await ok('listener create shop --name a --protocol HTTP --port 80 --connection-limit 9');
    await ok('listener create shop --name b --protocol HTTP --port 81 --allowed-cidr 10.0.0.0/25');
    await ok(
      'pool create --lb shop --name both --protocol HTTP --algorithm ROUND_ROBIN --session-persistence type=HTTP_COOKIE',
    );
    await ok('listener set a --default-pool both');
    await ok('listener set b --default-pool both');
    await ok('pool create --lb shop --name images --protocol HTTP --algorithm SOURCE_IP');
    await ok('l7policy create a --name images --action REDIRECT_TO_POOL --redirect-pool images --disable');
    await ok('l7policy create a --name old --action REDIRECT_PREFIX --redirect-prefix http://x --position 1');
    await ok('l7policy create b --name shared --action REDIRECT_TO_POOL --redirect-pool both');
    await ok('l7rule create images --type PATH --compare-type STARTS_WITH --value /img');
    await ok('l7rule create images --type COOKIE --compare-type EQUAL_TO --key a --value b --invert');
    await ok('member create both --name m --address 10.0.0.30 --port 80 --weight 5');
    await ok(`healthmonitor create both ${monitor}`);
    const text = await ok('export --format yaml');
    expect(parse(text).networks[0]).to.include({ name: 'blue', anti_spoofing: false });
    const names = ['blue', 'shop', 'web'];
    const again = await outcomes('apply -f -', text);
    expect(again).to.have.members(names.map((name) => `${name} unchanged`));
    await api.clear();
    expect(await outcomes('import --format yaml -f -', text)).to.have.members(names.map((name) => `${name} created`));
    expect(parse(await ok('export --format yaml'))).to.deep.equal(parse(text));
  });

  it('exports pools of the same name so that each keeps its listeners', async () => {
    const listeners = [80, 81, 82, 83].map((protocolPort) => ({ protocol: 'TCP', protocolPort }) as const);
    const pools = [7, 8].map((weight) => {
      const members = [{ address: '10.0.0.30', protocolPort: 80, weight }];
      return { name: 'twin', protocol: 'TCP', algorithm: 'SOURCE_IP', members } as const;
    });
    const { id } = await api.store.createLoadBalancer({ name: 'lb', network: 'blue', vips: [], listeners, pools });
    const lb = () => [...api.store.model.loadBalancers.values()].find(({ name }) => name === 'lb')!;
    const made = api.store.model.loadBalancers.get(id)!;
    for (const { id: listenerId, protocolPort } of made.listeners) {
      await api.store.updateListener(listenerId, { defaultPoolId: made.pools[protocolPort < 82 ? 0 : 1]!.id });
    }
    const used = () => lb().listeners.map((one) => [one.protocolPort, one.defaultPool!.members[0]!.weight]);
    const before = used();
    const text = await ok('export --format yaml');
    await api.clear();
    await outcomes('import --format yaml -f -', text);
    expect(used()).to.have.deep.members(before);
  });

  it('refuses what cannot be served unless told to pass over it, and tells what is lost', async () => {
    const text = `-A -f 7 -s rr\n-a -f 7 -r 10.0.0.21:0 -m\n-A -t 10.0.0.9:80 -s dh\n${IPVS}-A -t 10.0.0.8:80 -M 255.255.0.0`;
    const refused = await run('import --format ipvsadm -f -', { stdin: text });
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.match(
      /line 1: a service by firewall mark has no address, and 1 more: nothing was imported/,
    );
    expect(api.store.model.loadBalancers.size).to.equal(0);
    const partial = await run('import --format ipvsadm --partial -f -', { stdin: text });
    expect(partial.code, partial.stderr).to.equal(0);
    expect(partial.stderr)
      .to.match(/line 3: scheduler dh has no equal/)
      .and.match(/-M: sources persist one by one/);
    for (const [format, broken, message] of [
      ['ipvsadm', 'IP Virtual Server version', /line 1: 'IP' is not an option/],
      ['ipvsadm', '-a -t 10.0.0.1:80 -r 10.0.0.2:80', /line 1: a server of a service that no line before adds/],
      ['ipvsadm', '-A -t', /line 1: '-t' lacks its value/],
      ['ovn', '{}', /this is not what `ovn-nbctl -f json list load_balancer` prints/],
      ['ovn', 'x', /this is not what/],
    ] as const) {
      const { code, stderr } = await run(`import --format ${format} -f -`, { stdin: broken });
      expect([code, stderr.match(message)?.length], stderr).to.deep.equal([1, 1]);
    }
  });
});
