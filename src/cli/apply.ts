import { open } from 'node:fs/promises';
import type { Command } from 'commander';
import type { ApplyJson } from '../api/resources.ts';
import { CliError, type Io } from './io.ts';
import type { Column, Row } from './render/table.ts';
import { type CommonOptions, field, openSession, type Session, writes } from './session.ts';

const COLUMNS: readonly Column[] = [
  ['KIND', (item) => String(item.kind).replace('_', ' ')],
  ['NAME', 'name'],
  ['OUTCOME', 'outcome'],
];

/** As much as the API takes. */
const FILE_LIMIT_BYTES = 1024 * 1024;

/** `hostlb apply -f FILE` */
export function addApplyCommand(program: Command, io: Io): void {
  writes(program.command('apply').description('make networks and load balancers be as a file says'))
    .requiredOption('-f, --file <file>', 'YAML or JSON; - for stdin')
    .addHelpText('after', EXAMPLE)
    .action(async (options: CommonOptions & { file: string }) => {
      const { name, text } = await readInput(io, options.file);
      const document = await parseDocument(text, name);
      await applyDocument(openSession(io, options), document);
    });
}

/** Sends the document, and prints what came of each object. */
export async function applyDocument(session: Session, document: unknown): Promise<void> {
  const reply = await session.write('PUT', '/v1/apply', document);
  await session.printList(field<ApplyJson['objects']>(reply.body, 'objects') as unknown as readonly Row[], COLUMNS);
}

/** A file, or stdin for `-`, and its name in messages. Throws CliError for one that cannot be read or is too large. */
export async function readInput(io: Io, file: string): Promise<{ readonly name: string; readonly text: string }> {
  const name = file === '-' ? 'stdin' : file;
  return { name, text: file === '-' ? await readAll(io.stdin, name) : await readFile(file) };
}

const EXAMPLE = `
What the file does not name is left alone. Applying it again changes nothing.

Example:
  networks:
    - {name: blue, vlan: 0, subnets: [10.0.0.0/24], balancer_range: 10.0.0.240-10.0.0.250}
  load_balancers:
    - name: web
      network: blue
      vips: [10.0.0.100]
      listeners:
        - name: http
          protocol: TCP
          protocol_port: 80
          default_pool:
            lb_algorithm: SOURCE_IP_PORT
            members:
              - {name: s1, address: 10.0.0.21, protocol_port: 80}`;

/** The document of a file's text, checked. Throws CliError that names the file and the path or line at fault in it. */
export async function parseDocument(text: string, file: string): Promise<unknown> {
  const { parse } = await import('yaml');
  let content: unknown;
  try {
    content = parse(text, { prettyErrors: true });
  } catch (error) {
    throw new CliError(`${file}: ${(error as Error).message.split('\n')[0]?.replace(/:$/, '')}`);
  }
  const { checkDocument } = await import('../api/document.ts');
  try {
    checkDocument(content);
  } catch (error) {
    if (error instanceof Error && error.name === 'ApiError') throw new CliError(`${file}: ${error.message}`);
    throw error;
  }
  return content;
}

async function readFile(file: string): Promise<string> {
  try {
    const handle = await open(file);
    try {
      return await readAll(handle.createReadStream({ autoClose: false }), file);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error)
      throw new CliError(`cannot read ${file}: ${error.message.split(',')[0]}`);
    throw error;
  }
}

async function readAll(stream: AsyncIterable<Uint8Array | string>, name: string): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    sizeBytes += bytes.length;
    if (sizeBytes > FILE_LIMIT_BYTES) throw new CliError(`${name} is larger than 1 MiB: split it`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString();
}
