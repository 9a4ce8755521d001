import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { pino } from 'pino';
import { HostKeeper } from '../../src/host/host.ts';
import { hostView } from '../support/model.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { freePort, makeCertificates } from '../support/ovsdb-server.ts';

describe('ways to reach a host', () => {
  let ovs: Ovs;
  let folder: string;
  let keeper: HostKeeper | undefined;

  beforeEach(async () => {
    ovs = await startOvs({ bridge: 'br0' });
    folder = await mkdtemp(join(tmpdir(), 'hostlb-tls-'));
  });

  afterEach(async () => {
    await keeper?.stop();
    keeper = undefined;
    await ovs.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function keep(remote: string, tls?: Awaited<ReturnType<typeof makeCertificates>>): Promise<void> {
    const logger = pino({ level: 'silent' });
    keeper = new HostKeeper({ name: 'h1', remote, bridge: 'br0', database: 'one', tls, auditMs: 60_000, logger });
    keeper.setView(hostView());
    const applied = new Promise((resolve) => keeper?.once('applied', resolve));
    keeper.start();
    await applied;
  }

  const target = () => ovs.vsctl('--bare', '--columns=target', 'find', 'Controller', 'external_ids:hostlb=br0');

  it('over TCP: the switch then listens on the same address only', async () => {
    const port = await freePort();
    await ovs.vsctl('set-manager', `ptcp:${port}:127.0.0.1`);
    await keep(`tcp:127.0.0.1:${port}`);
    expect(await target()).to.match(/^ptcp:\d+:127\.0\.0\.1$/);
  });

  it('over TLS: database and switch both with certificates', async () => {
    const tls = await makeCertificates(folder);
    const port = await freePort();
    await ovs.vsctl('set-ssl', tls.privateKey, tls.certificate, tls.caCert);
    await ovs.vsctl('set-manager', `pssl:${port}:127.0.0.1`);
    await keep(`ssl:127.0.0.1:${port}`, tls);
    expect(await target()).to.match(/^pssl:\d+:127\.0\.0\.1$/);
  });

  it('over a unix socket: beside the database', async () => {
    await keep(ovs.dbRemote);
    expect(await target()).to.equal(`punix:${ovs.rundir}/br0.hostlb`);
  });
});
