import type { Command } from 'commander';
import type { StatusJson } from '../api/resources.ts';
import { type Io, printable } from './io.ts';
import { type CommonOptions, openSession, reads } from './session.ts';

/** `hostlb status` */
export function addStatusCommand(program: Command, io: Io): void {
  reads(program.command('status').description('is all well, and if not, what is wrong?')).action(
    async (options: CommonOptions) => {
      const session = openSession(io, options);
      const status = (await session.get('/v1/status')) as StatusJson;
      if (options.output === 'table') io.stdout.write(printable(statusText(status)));
      else await session.printObject({ ...status });
    },
  );
}

function statusText(status: StatusJson): string {
  const { hosts, load_balancers: lbs, balancers, vms } = status;
  const lines = [
    `generation      ${status.generation}`,
    `database        ${status.database.connected ? 'connected' : 'not connected'}`,
    `hosts           ${hosts.total}, ${hosts.connected} connected, ${hosts.up_to_date} up to date`,
    `networks        ${status.networks}`,
    `load balancers  ${lbs.total}, ${lbs.active} active, ${lbs.online} online`,
    `balancers       ${balancers.ready} ready, ${balancers.pending} pending, ${balancers.failed} failed`,
    `vms             ${vms.total}, ${vms.clients} clients`,
    ...status.problems.map((problem) => `problem         ${problem}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
