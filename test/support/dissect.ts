import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What tcpdump makes of a frame. */
export async function dissect(frame: Uint8Array): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hostlb-pcap-'));
  const header = Buffer.alloc(40);
  [0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1, 0, 0, frame.length, frame.length].forEach((word, i) => {
    header.writeUInt32LE(word, 4 * i);
  });
  await writeFile(join(folder, 'one.pcap'), Buffer.concat([header, frame]));
  const { stdout } = await promisify(execFile)('tcpdump', ['-r', join(folder, 'one.pcap'), '-nevv', '-t']);
  await rm(folder, { recursive: true });
  return stdout.replace(/\s+/g, ' ').trim();
}
