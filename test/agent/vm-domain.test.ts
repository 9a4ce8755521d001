import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { type DomainSpec, domainVersion, domainXml, readDomain } from '../../src/agent/drivers/vm-domain.ts';
import { requireSystem } from '../support/requirements.ts';

const SPEC: DomainSpec = {
  name: 'hostlb-h1-7-abcde',
  owner: '/run/hostlb/hlb7-abcde',
  acceleration: 'qemu',
  vcpus: 1,
  memoryMib: 128,
  kernel: '/images/vmlinuz',
  initramfs: '/images/initramfs',
  tap: 'hlb7-abcde',
  mac: '0e:00:00:00:00:01',
  mtu: 1500,
  channel: '/run/hostlb/hlb7-abcde/channel.sock',
  console: '/run/hostlb/hlb7-abcde/console.log',
};
/** Everything that a path may have and XML may not. */
const ODD = `/srv/a&b/<"it's">`;

describe('description of a virtual machine', () => {
  const specs: Readonly<Record<string, DomainSpec>> = {
    emulated: SPEC,
    'with KVM': { ...SPEC, acceleration: 'kvm', vcpus: 4, memoryMib: 2048, mtu: 9000 },
    'with odd paths': { ...SPEC, owner: ODD, kernel: ODD, initramfs: ODD, channel: ODD, console: ODD },
  };

  for (const [what, spec] of Object.entries(specs)) {
    it(`${what}: libvirt's schema has nothing against it`, async function () {
      requireSystem(this, ['virt-xml-validate', 'xmllint']);
      const folder = await mkdtemp(join(tmpdir(), 'hostlb-domain-'));
      try {
        await writeFile(join(folder, 'domain.xml'), domainXml(spec));
        await promisify(execFile)('virt-xml-validate', [join(folder, 'domain.xml'), 'domain']);
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    it(`${what}: tells whose it is`, () => {
      expect(readDomain(domainXml(spec))).to.deep.equal({ owner: spec.owner, version: domainVersion(spec) });
    });
  }

  it('has another version when anything else is wanted', () => {
    const others: Partial<DomainSpec>[] = [
      { acceleration: 'kvm' },
      { vcpus: 2 },
      { memoryMib: 256 },
      { kernel: '/k' },
      { initramfs: '/i' },
      { mac: '0e:00:00:00:00:02' },
      { mtu: 1400 },
    ];
    const versions = [SPEC, ...others.map((other) => ({ ...SPEC, ...other }))].map(domainVersion);
    expect(new Set(versions).size).to.equal(versions.length);
    expect(domainVersion({ ...SPEC })).to.equal(domainVersion(SPEC));
  });

  it('knows its own in the words of libvirt, and nobody else', () => {
    // libvirt prints attributes in its own way and order of namespaces.
    const printed = `<metadata>
    <hostlb:sandbox xmlns:hostlb="urn:hostlb:sandbox" owner="/a&amp;b" version="v1"/>
  </metadata>`;
    expect(readDomain(printed)).to.deep.equal({ owner: '/a&b', version: 'v1' });
    for (const foreign of [
      '',
      '<metadata/>',
      '<metadata><app:x xmlns:app="urn:app" owner="/a" version="v1"/></metadata>',
    ])
      expect(readDomain(`<domain>${foreign}</domain>`)).to.equal(undefined);
  });
});
