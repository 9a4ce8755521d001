/** Hosts' own addresses toward members: given in a transaction that fails if anybody else was given one meanwhile. */
import { randomUUID } from 'node:crypto';
import {
  type Cidr,
  contains,
  type Family,
  familyOf,
  isHostAddress,
  parseCidr,
  parseRange,
  rangeAddresses,
} from '../../model/addresses.ts';
import { ModelError } from '../../model/errors.ts';
import { requireHost, requireNetwork } from '../../model/lookup.ts';
import { missingFamilies } from '../../model/own-addresses.ts';
import type { Model, Network } from '../../model/types.ts';
import { byUuid, commit, insert, mutate, type Operation, wait } from '../../ovsdb/index.ts';
import type { AddressTable } from '../addresses.ts';
import { BalancerAddressTable, HostTable, NetworkTable } from '../rows.ts';
import { waitForRows } from '../wait-for-rows.ts';
import type { Draft } from '../writer.ts';
import { DONE } from './reports.ts';

interface Place {
  readonly hostId: string;
  readonly networkId: string;
  readonly addresses: AddressTable;
}

/** Fails in the database, to be drafted again, if the host or network got other addresses or ranges meanwhile. */
export function allocateAddresses(model: Model, at: Place): Draft<readonly string[]> {
  const host = requireHost(model, at.hostId);
  const network = requireNetwork(model, at.networkId);
  const given = at.addresses.rowsOf(host.id, network.id).map(({ address }) => address);
  const missing = missingFamilies(network, given);
  if (missing.length === 0) return { operations: [], result: ipv4First(given) };
  const taken = new Set(at.addresses.rowsIn(network.id).map(({ address }) => address));
  const rows = missing.map((family) => ({ id: randomUUID(), address: freeAddress(network, family, taken) }));
  return {
    operations: [
      waitForRows(HostTable, byUuid(host.id), [host.id]),
      at.addresses.unchangedIn(network.id),
      wait(NetworkTable, {
        where: byUuid(network.id),
        columns: ['balancer_ranges'],
        until: '==',
        rows: [{ balancer_ranges: network.balancerRanges }],
        timeoutMs: 0,
      }),
      ...rows.map(
        ({ id, address }): Operation => insert(BalancerAddressTable, { network: network.id, address }, { uuid: id }),
      ),
      mutate(HostTable, byUuid(host.id), [['addresses', 'insert', rows.map(({ id }) => id)]]),
      commit({ durable: true }),
    ],
    result: ipv4First([...given, ...rows.map(({ address }) => address)]),
  };
}

/** Releasing what was not allocated is no error. */
export function releaseAddresses(model: Model, at: Place): Draft<void> {
  if (!model.hosts.has(at.hostId)) return DONE;
  const rows = at.addresses.rowsOf(at.hostId, at.networkId).map(({ rowId }) => rowId);
  if (rows.length === 0) return DONE;
  return {
    operations: [mutate(HostTable, byUuid(at.hostId), [['addresses', 'delete', rows]]), commit({ durable: true })],
    result: undefined,
  };
}

function freeAddress(network: Network, family: Family, taken: ReadonlySet<string>): string {
  const subnets: readonly Cidr[] = network.subnets.map(parseCidr);
  const ranges = network.balancerRanges.map(parseRange).filter((range) => range.family === family);
  for (const range of ranges) {
    for (const address of rangeAddresses(range)) {
      const subnet = subnets.find((candidate) => contains(candidate, address));
      if (subnet !== undefined && isHostAddress(subnet, address) && !taken.has(address)) return address;
    }
  }
  const texts = ranges.map(({ text }) => text).join(', ') || 'there are none';
  const count = [...taken].filter((address) => familyOf(address) === family).length;
  throw new ModelError(
    'conflict',
    `Network ${network.name} has no free IPv${family} address in its balancer ranges (${texts}): ${count} are given to hosts`,
  );
}

function ipv4First(addresses: readonly string[]): readonly string[] {
  return [...addresses].sort((a, b) => familyOf(a) - familyOf(b));
}
