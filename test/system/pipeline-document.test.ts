/** docs/pipeline-tables.md is what a host has. With HOSTLB_WRITE_DOCS=1 it is written. */
import { readFile, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { plugsIn } from '../../src/explain/bridge-ports.ts';
import type { Facts } from '../../src/explain/facts.ts';
import { explainFlows } from '../../src/explain/flows.ts';
import { createNames, NO_PORTS } from '../../src/explain/names.ts';
import { packaged } from '../../src/util/paths.ts';
import { holdsLaw } from '../support/law.ts';
import { PIPELINE_DOCUMENT, pipelineDocument, withoutIds } from '../support/pipeline-document.ts';
import { requireSystem } from '../support/requirements.ts';
import { BLUE, balancing, membersAt, VIPS, vmAt } from '../support/site.ts';
import { World } from '../support/world.ts';

const members = membersAt([21, 22]);
const members4 = members.filter(({ address }) => !address.includes(':'));
const LOAD_BALANCERS = [
  balancing('web', members, { vips: VIPS, owner: 'tenant' }),
  balancing('app', members4, { vips: ['10.0.0.101'], placement: 'namespace', algorithm: 'ROUND_ROBIN' }),
  balancing('shop', members4, {
    ...{ vips: ['10.0.0.102'], placement: 'namespace', algorithm: 'ROUND_ROBIN', until_ready: 'switch' },
  }),
  balancing('media', members4, { vips: ['10.0.0.103'], return_path: 'direct', algorithm: 'SOURCE_IP' }),
  balancing('films', members4, {
    vips: ['10.0.0.104'],
    return_path: 'direct',
    listener: { allowed_cidrs: ['10.0.0.0/28'] },
  }),
  balancing('turns', members4, { vips: ['10.0.0.105'], algorithm: 'LEAST_CONNECTIONS' }),
  balancing('some-turns', members4, {
    ...{ vips: ['10.0.0.106'], algorithm: 'ROUND_ROBIN', listener: { allowed_cidrs: ['10.0.0.0/28'] } },
  }),
  balancing('red-web', members4, {
    ...{ vips: ['10.0.0.100'], network: 'red', listener: { allowed_cidrs: ['10.0.0.0/28'] } },
  }),
];

describe('the document of the tables', function () {
  this.timeout(60_000);
  const world = new World({
    part: 'doc',
    topology: {
      hosts: [{ name: 'h1' }, { name: 'h2' }],
      networks: [BLUE, { ...BLUE, name: 'red', vlan: 7 }],
      vms: [
        vmAt('c1', 'h1', 11),
        vmAt('s1', 'h1', 21),
        vmAt('s2', 'h2', 22),
        { ...vmAt('r1', 'h1', 11), network: 'red' },
        { ...vmAt('r2', 'h2', 21), network: 'red' },
        { ...vmAt('r3', 'h2', 22), network: 'red' },
      ],
    },
  });
  before(async function () {
    requireSystem(this, ['haproxy']);
    await world.up();
    for (const document of LOAD_BALANCERS) await world.apply(document);
  });
  after(() => world.down());

  it('is what a host has', async () => {
    await holdsLaw(world, ['h1']);
    const [facts, text] = await Promise.all([
      world.get<Facts>('/v1/hosts/h1/facts'),
      world.get<string>('/v1/hosts/h1/flows'),
    ]);
    const names = createNames(facts, { ...NO_PORTS, plugs: plugsIn(text) });
    const dump = pipelineDocument(explainFlows(text, names));
    const path = packaged(PIPELINE_DOCUMENT);
    if (process.env.HOSTLB_WRITE_DOCS) await writeFile(path, dump);
    expect(withoutIds(await readFile(path, 'utf8')).split('\n')).to.deep.equal(withoutIds(dump).split('\n'));
  });
});
