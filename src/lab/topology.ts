import { readFile } from 'node:fs/promises';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { checkAddresses, isAddress, isRange, isSubnet } from './addresses.ts';
import { LabError } from './errors.ts';
import { NAME_PATTERN, NAME_RULE } from './names.ts';

const name = z.string().regex(NAME_PATTERN, `must be ${NAME_RULE}`);
const address = z.string().refine(isAddress, 'must be an IPv4 or IPv6 address');
export const MAC_PATTERN = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/;
const mac = z.string().toLowerCase().regex(MAC_PATTERN, 'must be a unicast MAC address, as 52:54:00:12:34:56');

const network = z.strictObject({
  name,
  vlan: z.int().min(0).max(4094).default(0),
  subnets: z.array(z.string().refine(isSubnet, 'must be a subnet, as 10.0.0.0/24')).min(1),
  balancer_range: z.string().refine(isRange, 'must be a range, as 10.0.0.240-10.0.0.250').optional(),
  anti_spoofing: z.boolean().optional(),
});

const vm = z.strictObject({
  name,
  host: z.string(),
  network: z.string().optional(),
  owner: z.string().min(1).optional(),
  ips: z.array(address).optional(),
  mac: mac.optional(),
  serve: z.int().min(1).max(65535).optional(),
});

const schema = z.strictObject({
  hosts: z.array(z.strictObject({ name })).min(1).max(64),
  networks: z.array(network).min(1),
  vms: z.array(vm).default([]),
});

/** A network of the lab: VLAN 0 is untagged; the balancer range is `FIRST-LAST`. */
export type LabNetwork = z.output<typeof network>;
/** A VM as asked for: no addresses means the next free ones, no network the file's first. */
export type VmRequest = z.output<typeof vm>;
/** Hosts, networks and VMs of a lab. */
export type Topology = z.output<typeof schema>;

const fault = (path: string, message: string): LabError => new LabError('bad_topology', `${path}: ${message}`);

function pathOf(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return text.replace(/^\./, '') || 'topology';
}

function checkUnique(list: string, values: readonly { readonly name: string }[], taken: Map<string, string>): void {
  values.forEach((value, index) => {
    const path = `${list}[${index}].name`;
    const other = taken.get(value.name);
    if (other !== undefined) throw fault(path, `"${value.name}" is the name of ${other} too`);
    taken.set(value.name, `${list}[${index}]`);
  });
}

function checkVms({ hosts, networks, vms }: Topology): void {
  const taken = new Map<string, Map<string, string>>(networks.map(({ name }) => [name, new Map()]));
  vms.forEach((vm, index) => {
    const path = `vms[${index}]`;
    if (!hosts.some(({ name }) => name === vm.host)) throw fault(`${path}.host`, `no host "${vm.host}"`);
    const network = vm.network === undefined ? networks[0]! : networks.find(({ name }) => name === vm.network);
    if (network === undefined) throw fault(`${path}.network`, `no network "${vm.network}"`);
    const holders = taken.get(network.name)!;
    try {
      for (const ip of checkAddresses(network, vm.ips ?? [], holders)) holders.set(ip, vm.name);
    } catch (error) {
      if (error instanceof LabError) throw fault(`${path}.ips`, error.message);
      throw error;
    }
  });
}

/** Checks a topology, names and references included. Throws `bad_topology` whose message begins with the path at fault. */
export function parseTopology(value: unknown): Topology {
  const result = schema.safeParse(value);
  if (!result.success) {
    const issues = result.error.issues.map(({ path, message }) => `${pathOf(path)}: ${message}`);
    throw new LabError('bad_topology', issues.join('; '));
  }
  // Hosts and VMs share a namespace of names: `lab exec` takes either.
  const taken = new Map<string, string>();
  checkUnique('hosts', result.data.hosts, taken);
  checkUnique('vms', result.data.vms, taken);
  checkUnique('networks', result.data.networks, new Map());
  checkVms(result.data);
  return result.data;
}

/** Reads a topology file. Throws `bad_topology` that begins with the file's name. */
export async function readTopology(file: string): Promise<Topology> {
  try {
    return parseTopology(parse(await readFile(file, 'utf8')));
  } catch (error) {
    if (error instanceof LabError || error instanceof YAMLParseError || (error as NodeJS.ErrnoException).code) {
      throw new LabError('bad_topology', `${file}: ${(error as Error).message.split('\n')[0]}`, { cause: error });
    }
    throw error;
  }
}
