import { cidrContains } from '../../model/addresses.ts';
import { CliError } from '../io.ts';
import type { Session } from '../session.ts';

interface Subnet {
  readonly network_id: string;
  readonly cidr: string;
}

/** The id of the one network whose subnets have all these addresses. Throws CliError that asks for --network. */
export async function networkOf(session: Session, addresses: readonly string[]): Promise<string> {
  return (await readNetworks(session))(addresses);
}

/** As `networkOf`, for many. */
export async function readNetworks(session: Session): Promise<(addresses: readonly string[]) => string> {
  const subnets = await session.list<Subnet>('/v2.0/subnets', 'subnets');
  return (addresses) => {
    const [found, ...others] = networksWith(subnets, addresses);
    const all = addresses.join(' and ');
    if (found === undefined) throw new CliError(`no network has a subnet with ${all}: add one, or give --network`);
    if (others.length > 0)
      throw new CliError(`${others.length + 1} networks have a subnet with ${all}: give --network`);
    return found;
  };
}

function networksWith(subnets: readonly Subnet[], addresses: readonly string[]): readonly string[] {
  const ids = new Set(subnets.map(({ network_id }) => network_id));
  return [...ids].filter((id) =>
    addresses.every((address) =>
      subnets.some(({ network_id, cidr }) => network_id === id && cidrContains(cidr, address)),
    ),
  );
}
