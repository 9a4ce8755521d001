import { type Command, InvalidArgumentError, Option } from 'commander';
import type { VmJson } from '../api/resources.ts';
import { LIMITS } from '../model/limits.ts';
import { VIRTUAL_MACHINE_KINDS } from '../model/types.ts';
import { type Io, printable } from './io.ts';
import type { Column } from './render/table.ts';
import {
  type CommonOptions,
  collect,
  enc,
  field,
  openSession,
  reads,
  type Session,
  seconds,
  whole,
  writes,
} from './session.ts';
import { waitForVm, waitForVmGone } from './vm-wait.ts';
import { type ListOptions, listing, lists } from './watch.ts';

const COLUMNS: readonly Column[] = [
  ['IFACE ID', 'iface_id'],
  ['NAME', 'name'],
  ['KIND', 'kind'],
  ['HOST', 'host'],
  ['NETWORK', 'network'],
  ['OWNER', 'owner'],
  ['MAC', 'mac'],
  ['ADDRESSES', 'addresses'],
  ['STATE', 'state'],
  ['CLIENT OF', 'client_of'],
  ['REASON', 'reason'],
];

const NEIGHBOUR_COLUMNS: readonly Column[] = [
  ['ADDRESS', 'address'],
  ['MAC', 'mac'],
  ['LOAD BALANCER', 'loadbalancer'],
];

interface WaitOptions extends CommonOptions {
  readonly timeout: number;
}

interface CreateOptions extends WaitOptions {
  readonly host: string;
  readonly network: string;
  readonly kind?: string;
  readonly address?: readonly string[];
  readonly owner?: string;
  readonly serve?: number;
  readonly vcpus?: number;
  readonly memory?: number;
  readonly image?: string;
}

/** `hostlb vm …` */
export function addVmCommands(program: Command, io: Io): void {
  const vm = program.command('vm').description("VMs' ports, of whatever made them; and small VMs that agents run");

  lists(vm.command('list').description("list VM ports: those that hosts show, agents' VMs, registered ones"))
    .option('--host <host>', 'only those on this host')
    .action((options: ListOptions & { host?: string }) =>
      listing(io, options, async (session) => {
        const query = options.host === undefined ? '' : `?host=${enc(options.host)}`;
        await session.printList(field(await session.get(`/v1/vms${query}`), 'vms'), COLUMNS);
      }),
    );

  reads(vm.command('show').description('show a VM port'))
    .argument('<vm>', 'iface-id, name or vm-id')
    .action(async (id: string, options: CommonOptions) => printOne(openSession(io, options), id));

  runs(vm.command('create').description('make a small VM that the agent of a host runs'))
    .argument('<name>', 'name; with --serve also what it answers')
    .requiredOption('--host <host>', 'where: a host that runs an agent')
    .requiredOption('--network <network>', 'name or id')
    .addOption(
      new Option('--kind <kind>', 'what the agent makes of it').choices(VIRTUAL_MACHINE_KINDS).default('namespace'),
    )
    .option('--address <address>', 'address, one per family (default: a free one of each of the network)', collect)
    .option('--owner <owner>', 'tenant that it belongs to')
    .option('--serve <port>', 'answer HTTP on this port with the name', whole(1, 65535))
    .option('--vcpus <number>', 'CPUs; a fraction is fine except for kind vm', positive)
    .option('--memory <mib>', 'memory in MiB', whole(LIMITS.minMemoryMib, LIMITS.maxMemoryMib))
    .option('--image <image>', 'kind container: image reference; kind vm: path of its root image or initramfs')
    .addHelpText('after', '\nExample:\n  hostlb vm create s1 --host h1 --network blue --serve 80 --wait')
    .action(async (name: string, options: CreateOptions) => {
      const session = openSession(io, options);
      const { host, network, kind, owner, address: addresses, serve, vcpus, memory, image } = options;
      const machine = { name, host, network, kind, owner, addresses, vcpus, image };
      const reply = await session.client.request('POST', '/v1/vms', {
        vm: { ...machine, serve_port: serve, memory_mib: memory },
      });
      const { iface_id: ifaceId } = field<VmJson>(reply.body, 'vm');
      if (options.wait === true) await waitForVm({ session, ifaceId, timeoutMs: options.timeout * 1000 });
      await printOne(session, ifaceId);
    });

  runs(vm.command('delete').description("delete an agent's VM"))
    .argument('<vm>', 'name or iface-id')
    .action(async (id: string, options: WaitOptions) => {
      const session = openSession(io, options);
      const { iface_id: ifaceId } = field<VmJson>(await session.get(path(id)), 'vm');
      await session.client.request('DELETE', path(ifaceId));
      if (options.wait === true) await waitForVmGone({ session, ifaceId, timeoutMs: options.timeout * 1000 });
    });

  reads(vm.command('neighbours').description('permanent neighbour entries that a VM needs: VIPs of lookup mode static'))
    .argument('<vm>', 'iface-id, name or vm-id')
    .action(async (id: string, options: CommonOptions) => {
      const session = openSession(io, options);
      await session.printList(field(await session.get(`${path(id)}/neighbours`), 'neighbours'), NEIGHBOUR_COLUMNS);
    });

  reads(vm.command('cloud-init').description('the same as a cloud-init document, for a VM that is yet to boot'))
    .argument('<vm>', 'iface-id, name or vm-id')
    .action(async (id: string, options: CommonOptions) => {
      io.stdout.write(printable((await openSession(io, options).get(`${path(id)}/cloud-init`)) as string));
    });

  writes(vm.command('register').description("say whose a VM's port is, before or after it is plugged in"))
    .argument('<iface-id>', 'external_ids:iface-id of its interface')
    .option('--owner <owner>', 'tenant that it belongs to')
    .option('--name <name>', 'name to show for it')
    .action(async (id: string, options: CommonOptions & { owner?: string; name?: string }) => {
      const session = openSession(io, options);
      const { owner, name } = options;
      await session.write('PUT', path(id), { vm: { owner, name } });
      await printOne(session, id);
    });

  writes(vm.command('unregister').description('take back what was said about a VM port'))
    .argument('<iface-id>', 'external_ids:iface-id of its interface')
    .action(async (id: string, options: CommonOptions) => {
      await openSession(io, options).write('DELETE', path(id));
    });
}

/** A VM under emulation takes its time to boot. */
const WAIT_SECONDS = 60;

/** Adds the options of a command that an agent carries out. */
function runs(command: Command): Command {
  return reads(command)
    .option('--wait', 'return when the agent has done it and the switch shows it')
    .option('--timeout <seconds>', 'how long --wait waits', seconds, WAIT_SECONDS);
}

function positive(text: string): number {
  const value = /^\d{1,3}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (!(value > 0 && value <= LIMITS.maxVcpus)) {
    throw new InvalidArgumentError(`Must be a number of at most ${LIMITS.maxVcpus}, greater than 0.`);
  }
  return value;
}

function path(id: string): string {
  return `/v1/vms/${enc(id)}`;
}

async function printOne(session: Session, id: string): Promise<void> {
  await session.printObject(field(await session.get(path(id)), 'vm'));
}
