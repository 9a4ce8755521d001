import { type Command, Option } from 'commander';
import { readBridgePorts, uplinksIn } from '../explain/bridge-ports.ts';
import type { ExplainedFlows } from '../explain/flows.ts';
import { type Appctl, chosenMember, type Followed, follow } from '../explain/follow.ts';
import { createNames, type Names } from '../explain/names.ts';
import {
  type Connection,
  memberNamed,
  membersFor,
  PACKET_PROTOCOLS,
  type PacketProtocol,
  type PacketState,
  packetBack,
  packetToVip,
  type Situation,
  situationOf,
} from '../explain/packet.ts';
import { type Told, tell } from '../explain/tell.ts';
import { canonicalAddress, isAddress } from '../model/addresses.ts';
import { createAppctl } from './appctl.ts';
import { flowsOf } from './flows.ts';
import { type Io, printable, UsageError } from './io.ts';
import { type CommonOptions, openSession, reads, whole } from './session.ts';

interface TraceOptions extends CommonOptions {
  readonly from?: string;
  readonly to?: string;
  readonly protocol?: PacketProtocol;
  readonly sourcePort: number;
  readonly source?: string;
  readonly member?: string;
  readonly established?: boolean;
  readonly reply?: boolean;
  readonly target?: string;
  readonly raw?: boolean;
}

/** The first port that is nobody's on most systems. */
const DEFAULT_SOURCE_PORT = 49152;

/** `hostlb trace` */
export function addTraceCommand(program: Command, io: Io): void {
  reads(program.command('trace').description("what a host's switch does to a packet, and why, in words"))
    .argument('<host>', 'name or id')
    .argument('[flow]', 'the packet in ovs-ofctl syntax')
    .option('--from <vm>', 'or: what this VM sends (name or iface-id)')
    .option('--to <vip[:port]>', 'to this address, [ADDRESS]:PORT for IPv6')
    .addOption(new Option('--protocol <protocol>', "default: that of the VIP's listener").choices(PACKET_PROTOCOLS))
    .option('--source-port <port>', "the VM's port", whole(1, 65535), DEFAULT_SOURCE_PORT)
    .option('--source <address>', "the VM's address, where it is not known")
    .option('--established', 'a later packet of the connection, not its first')
    .option('--reply', 'what comes back to the VM')
    .option(
      '--member <member>',
      'with these two: the member of the connection (default: whom the first packet would get)',
    )
    .option(
      '--target <target>',
      'which ovs-vswitchd, as ovs-appctl takes it (default: found by the remote of the host)',
    )
    .option('--raw', 'as ofproto/trace prints it')
    .addHelpText('after', '\nExample:\n  hostlb trace h1 --from c1 --to 10.0.0.100:80')
    .action(async (host: string, flow: string | undefined, options: TraceOptions) => {
      const session = openSession(io, options);
      const to = checkUsage(flow, options);
      const { all, facts, names } = await flowsOf(session, host);
      const appctl = createAppctl({ host: facts.host, target: options.target, signal: io.signal });
      const ports = readBridgePorts(await appctl(['dpif/show']), facts.host.bridge);
      const named = createNames(facts, { ...names.ports, ...ports });
      const traced = await traceIt({ appctl, names: named, wanted: all, flow, to, options });
      if (options.raw === true) return void io.stdout.write(printable(traced.raw));
      const told = tell({ passes: traced.passes, names: named, wanted: all, state: stateOf(options) });
      if (options.output !== 'table') return session.printObject({ host, packet: traced.packet, ...told });
      io.stdout.write(printable(textOf(told, traced)));
    });
}

interface To {
  readonly address: string;
  readonly port: number | undefined;
}

/** Throws UsageError. */
function checkUsage(flow: string | undefined, { from, to, established, reply }: TraceOptions): To | undefined {
  if (flow !== undefined && (from !== undefined || to !== undefined || established === true || reply === true)) {
    throw new UsageError('trace takes a FLOW, or --from VM and --to VIP: not both');
  }
  if (flow !== undefined) return undefined;
  if (from === undefined || to === undefined)
    throw new UsageError('trace needs a FLOW, or --from VM and --to VIP[:PORT]');
  if (established === true && reply === true) throw new UsageError('--established and --reply exclude each other');
  const [, bracketed, afterBracket, plain, afterPlain] =
    /^(?:\[([^\]]+)\](?::(\d+))?|([^:]+)(?::(\d+))?)$/.exec(to) ?? [];
  const address = bracketed ?? plain ?? to;
  const port = afterBracket ?? afterPlain;
  if (!isAddress(address) || Number(port ?? 1) > 65535 || Number(port ?? 1) < 1) {
    throw new UsageError(`--to ${to}: must be ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT`);
  }
  return { address: canonicalAddress(address), port: port === undefined ? undefined : Number(port) };
}

function stateOf({ established, reply }: TraceOptions): PacketState {
  if (reply === true) return 'reply';
  return established === true ? 'established' : 'new';
}

interface TraceInit {
  readonly appctl: Appctl;
  readonly names: Names;
  readonly wanted: ExplainedFlows;
  readonly flow: string | undefined;
  readonly to: To | undefined;
  readonly options: TraceOptions;
}

interface Traced extends Followed {
  readonly packet: string;
  readonly situation: Situation | undefined;
}

async function traceIt({ appctl, names, wanted, flow, to, options }: TraceInit): Promise<Traced> {
  const { facts } = names;
  const { bridge } = facts.host;
  if (flow !== undefined || to === undefined) {
    const packet = flow ?? '';
    return { ...(await follow(appctl, { bridge, flow: packet, state: 'new' })), packet, situation: undefined };
  }
  const { from = '', source, protocol, sourcePort } = options;
  const address = source === undefined ? undefined : canonicalAddress(source);
  const situation = situationOf(facts, { from, to: to.address, port: to.port, protocol, sourcePort, source: address });
  const state = stateOf(options);
  const member = state === 'new' ? undefined : await memberOf(situation, { appctl, names, options });
  const packet =
    state === 'reply'
      ? packetBack(situation, member, entrances(situation, names, wanted))
      : packetToVip(situation, state);
  const connection: Connection = {
    client: situation.client,
    vip: situation.target,
    member: member && {
      address: member.address,
      port: situation.client.port === undefined ? undefined : member.protocol_port,
    },
  };
  return { ...(await follow(appctl, { bridge, flow: packet, state, connection })), packet, situation };
}

/** The member of the connection: the one that was named, else whom the switch would choose, else one of this host. */
async function memberOf(
  situation: Situation,
  { appctl, names, options }: Pick<TraceInit, 'appctl' | 'names' | 'options'>,
) {
  if (options.member !== undefined) return memberNamed(situation, options.member);
  const { facts, vm } = situation;
  const members = membersFor(situation);
  if (vm.host !== facts.host.name) {
    const here = facts.vms.filter(({ host }) => host === facts.host.name).map(({ mac }) => mac);
    return members.find(({ mac }) => mac !== null && here.includes(mac)) ?? members[0];
  }
  const { passes } = await follow(appctl, {
    bridge: facts.host.bridge,
    flow: packetToVip(situation, 'new'),
    state: 'new',
  });
  const key = chosenMember(passes);
  return key === undefined ? undefined : names.member(key)?.member;
}

function entrances({ loadBalancer, network }: Situation, { ports }: Names, { flows }: ExplainedFlows) {
  const text = flows.map((line) => `${line.text}\n`).join('');
  const plug = [...ports.plugs].find(([, key]) => key === loadBalancer?.key)?.[0];
  return { plug, uplink: uplinksIn(text, network.key)[0] };
}

/** Table by table, then what comes of it. */
function textOf({ passes, outcome, reasons }: Told, { packet, situation }: Traced): string {
  const name = ({ table, name: own }: { readonly table: number; readonly name: string }) => own || String(table);
  const width = Math.max(...passes.flatMap(({ steps }) => steps.map((step) => name(step).length)), 0);
  const lines = [
    `packet: ${packet}`,
    ...(situation?.assumed ?? []).map((line) => `assumed: ${line}`),
    '',
    ...passes.flatMap(({ title, steps }) => [
      ...(title === '' ? [] : [`-- ${title}`]),
      ...steps.map((step) => `${name(step).padEnd(width)}  ${step.words}`),
    ]),
    '',
    outcome.text,
    ...reasons.map((reason) => `because: ${reason}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
