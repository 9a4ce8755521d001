/**
 * What balancers stand on is killed (-9): from the signal to the next page that a client gets, which tries all the time.
 *
 * Each kill is of another load balancer, or long after the one before: one that breaks again and again would be left
 * alone for a while. The yardstick is an HAProxy with the same configuration, from its start to the first page.
 */
import { basename } from 'node:path';
import { commandLine, kill, pidsIn } from '../src/lab/process.ts';
import { containerImage } from '../test/support/container-image.ts';
import { vmImages } from '../test/support/vm-images.ts';
import { type Bench, repetitions } from './lib/bench.ts';
import { timeFirstPage } from './lib/first-page.ts';
import { loneProxy, proxyOf } from './lib/haproxy.ts';
import { allReady, apply, type BenchLab, serves, startLab, web } from './lib/lab.ts';
import { startNginx } from './lib/nginx.ts';
import { row } from './lib/report.ts';

const CLIENT = { name: 'c1', host: 'h1', owner: 'tenant', ips: ['10.0.0.11'] };
const MEMBER = { name: 's1', host: 'h1', owner: 'service', ips: ['10.0.0.21'] };
/** Has the unmanaged HAProxy. */
const ALONE = { name: 'a1', host: 'h1', owner: 'service', ips: ['10.0.0.31'] };
const MACHINE_VIP = '10.0.1.200';
const MACHINE_KILLS = 2;

const vips = (count: number, from: number): string[] => Array.from({ length: count }, (_, at) => `10.0.1.${from + at}`);

async function start(vipsOf: { readonly namespace: string[]; readonly container: string[]; readonly vm: string[] }) {
  await Promise.all([containerImage(), vmImages()]);
  const lab = await startLab({ name: 'k', hosts: ['h1'], vms: [CLIENT, MEMBER, ALONE] });
  await startNginx(lab, [MEMBER.name]);
  const load_balancers = (['namespace', 'container', 'vm'] as const).flatMap((placement) =>
    vipsOf[placement].map((vip) => {
      return web({ name: `${placement}${vip}`, vips: [vip], members: MEMBER.ips, placement, owner: 'tenant' });
    }),
  );
  await apply(lab, { load_balancers });
  await allReady(lab, load_balancers.length);
  return lab;
}

/** Milliseconds until the client gets a page from the address again. */
async function timeKill(lab: BenchLab, vip: string, pids: () => readonly number[]): Promise<number> {
  await serves(lab, CLIENT.name, `http://${vip}/`);
  const doomed = pids();
  if (doomed.length === 0) throw new Error(`nothing to kill serves ${vip}`);
  return timeFirstPage(lab, { vm: CLIENT.name, address: vip }, () => kill(doomed));
}

/** QEMU of the one virtual machine. */
const machines = (lab: BenchLab): number[] =>
  pidsIn(lab.status().hosts.map(({ namespace }) => namespace)).filter((pid) =>
    basename(commandLine(pid)[0] ?? '').startsWith('qemu-'),
  );

export const recovery: Bench = {
  title: 'what a balancer stands on is killed, until the next page through the VIP',
  async run(options) {
    options.log('images and lab');
    const namespace = vips(repetitions(12, options), 1);
    const container = vips(repetitions(6, options), 101);
    const lab = await start({ namespace, container, vm: [MACHINE_VIP] });
    const [address] = ALONE.ips as [string];
    const lone = await loneProxy(lab, { vm: ALONE.name, address, vip: namespace[0]! });
    const alone: number[] = [];
    const samples = { namespace: [] as number[], container: [] as number[], vm: [] as number[] };
    for (const vip of namespace) {
      options.log(`HAProxy of ${vip}`);
      alone.push(await timeFirstPage(lab, { vm: CLIENT.name, address }, async () => lone.start()));
      await kill(lone.pids());
      samples.namespace.push(await timeKill(lab, vip, () => proxyOf(lab, vip).pids));
    }
    for (const vip of container) {
      options.log(`container of ${vip}`);
      samples.container.push(await timeKill(lab, vip, () => proxyOf(lab, vip).pids));
    }
    for (let nth = 1; nth <= MACHINE_KILLS; nth++) {
      options.log(`virtual machine, ${nth} of ${MACHINE_KILLS}`);
      samples.vm.push(await timeKill(lab, MACHINE_VIP, () => machines(lab)));
    }
    const yardstick = { what: 'start of HAProxy alone', samples: alone };
    const unit = 'ms';
    return [
      row({
        ...{ what: 'namespace: HAProxy killed', unit, samples: samples.namespace, yardstick },
        target: { limit: '<=', value: 500, of: 'median' },
      }),
      row({ what: 'container killed', unit, samples: samples.container, yardstick }),
      row({ what: 'virtual machine killed', unit, samples: samples.vm, yardstick }),
    ];
  },
};
