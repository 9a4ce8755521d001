import { type Command, Option } from 'commander';
import { followEvents } from '../api/event-client.ts';
import { EVENT_KINDS, type EventJson, type EventsJson } from '../api/resources.ts';
import { type Io, printable } from './io.ts';
import { type CommonOptions, credentialsIn, openSession, reads } from './session.ts';

const PATH = '/v1/events';

interface Options extends CommonOptions {
  readonly follow?: boolean;
  readonly kind?: readonly string[];
  readonly after?: string;
}

/** `hostlb events` */
export function addEventsCommand(program: Command, io: Io): void {
  reads(program.command('events').description('what happened to load balancers, balancers, hosts, and members’ health'))
    .option('-f, --follow', 'print what happens from now on, until interrupted')
    .addOption(new Option('--kind <kind...>', 'only events of these').choices(EVENT_KINDS))
    .option('--after <id>', 'with -f: begin after this event')
    .addHelpText('after', EXAMPLE)
    .action(async (options: Options) => {
      const session = openSession(io, options);
      const query = new URLSearchParams((options.kind ?? []).map((kind): [string, string] => ['kind', kind]));
      if (options.follow !== true) {
        query.set('follow', 'false');
        const { events } = (await session.get(`${PATH}?${query}`)) as EventsJson;
        if (options.output !== 'table') return session.printList(events as unknown as readonly never[], []);
        for (const event of events) io.stdout.write(line(event));
        return;
      }
      await follow(io, session.client.url, { ...options, query });
    });
}

const EXAMPLE = `
The controller remembers some thousand events since it began. With -f -o json each event is one line.

Example:
  hostlb events -f --kind member host`;

/** Prints events as they come; never returns. What was missed for good is told on stderr. */
async function follow(io: Io, url: string, options: Options & { readonly query: URLSearchParams }): Promise<void> {
  const { query, after: lastId, output } = options;
  const path = query.size === 0 ? PATH : `${PATH}?${query}`;
  const tell = (reason: string): void => void io.stderr.write(`hostlb: ${printable(reason)}\n`);
  const following = { url, path, lastId, signal: io.signal, credentials: credentialsIn(io.env), broken: tell };
  for await (const { type, data } of followEvents(following)) {
    if (type === 'reset') tell(`events were missed: ${(data as { reason: string }).reason}`);
    else if (type !== 'ready')
      io.stdout.write(output === 'json' ? `${JSON.stringify(data)}\n` : line(data as EventJson));
  }
}

/** Time, what, and the object's attributes. */
function line({ time, type, object }: EventJson): string {
  const said = Object.entries(object).filter(([, value]) => value !== '' && value !== null);
  return `${printable([time, type, ...said.map(([key, value]) => `${key}=${quoted(value)}`)].join(' '))}\n`;
}

function quoted(value: string | number | null): string {
  const text = String(value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}
