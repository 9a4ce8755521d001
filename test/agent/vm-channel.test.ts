import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { VmChannel } from '../../src/agent/drivers/vm-channel.ts';
import { AgentError } from '../../src/agent/errors.ts';

const encode = (text: string): string => Buffer.from(text).toString('base64');

/** A machine whose shell the test is: it keeps what it hears, and answers as it is told. */
class Guest {
  readonly lines: string[] = [];
  readonly told: string[][] = [];
  closed = 0;
  /** What each request is answered; undefined = nothing. */
  answer: (script: string, id: string) => string | undefined = (script, id) => `${id} 0 ${encode(`did ${script}`)}\n`;
  #server!: Server;
  #folder!: string;
  #socket: Socket | undefined;
  #rest = '';
  readonly #channels: VmChannel[] = [];

  async up(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), 'hostlb-channel-'));
    this.#server = createServer((socket) => {
      this.#socket = socket;
      this.#rest = '';
      socket.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    }).listen(this.path);
    await once(this.#server, 'listening');
  }

  async down(): Promise<void> {
    for (const channel of this.#channels) channel.close();
    this.#socket?.destroy();
    this.#server.close();
    await rm(this.#folder, { recursive: true });
  }

  get path(): string {
    return join(this.#folder, 'channel.sock');
  }

  async open(timeoutMs = 5_000): Promise<VmChannel> {
    const init = {
      path: this.path,
      name: 'm1',
      closed: () => void this.closed++,
      told: (words: readonly string[]) => void this.told.push([...words]),
    };
    const channel = await VmChannel.open(init, timeoutMs);
    this.#channels.push(channel);
    return channel;
  }

  say(text: string | Buffer): void {
    this.#socket!.write(text);
  }

  end(): void {
    this.#socket!.destroy();
  }

  #hear(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) {
      this.lines.push(line);
      const [id, script, dot] = line.split(' ');
      if (dot !== '.') continue;
      const answer = this.answer(Buffer.from(script!, 'base64').toString(), id!);
      if (answer !== undefined) this.say(answer);
    }
  }
}

async function refused(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(AgentError);
  return `${(error as AgentError).code}: ${(error as AgentError).message}`;
}

describe('channel to a virtual machine', () => {
  let guest: Guest;
  beforeEach(async () => {
    guest = new Guest();
    await guest.up();
  });
  afterEach(() => guest.down());

  it('ends what was left half-written before it asks anything', async () => {
    await guest.open();
    expect(guest.lines[0]).to.equal('');
    expect(guest.lines[1]).to.match(/^[0-9a-f]{17,} Og== \.$/);
  });

  it('carries any script and any output', async () => {
    const channel = await guest.open();
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), async (script) => {
        const asSent = Buffer.from(script).toString();
        expect(await channel.run(script)).to.equal(`did ${asSent}`);
      }),
      { numRuns: 50 },
    );
  });

  it('puts an answer together however it is cut', async () => {
    const channel = await guest.open();
    guest.answer = () => undefined;
    for (const size of [1, 2, 7]) {
      guest.lines.length = 0;
      const answered = channel.run('x');
      while (guest.lines.length === 0) await new Promise(setImmediate);
      const line = Buffer.from(`${guest.lines.pop()!.split(' ')[0]} 0 ${encode('whole')}\nhello again\n`);
      for (let i = 0; i < line.length; i += size) {
        guest.say(line.subarray(i, i + size));
        await new Promise(setImmediate);
      }
      expect(await answered).to.equal('whole');
    }
    while (guest.told.length < 3) await new Promise(setImmediate);
    expect(guest.told).to.deep.equal([
      ['hello', 'again'],
      ['hello', 'again'],
      ['hello', 'again'],
    ]);
  });

  it('gives each of many requests its own answer', async () => {
    const channel = await guest.open();
    const scripts = Array.from({ length: 50 }, (_, i) => `script ${i}`);
    expect(await Promise.all(scripts.map((script) => channel.run(script)))).to.deep.equal(
      scripts.map((script) => `did ${script}`),
    );
  });

  it('takes no answer to an earlier agent for its own', async () => {
    guest.answer = (_, id) => `${'0'.repeat(16)}0 0 ${encode('stale')}\n${id} 0 ${encode('mine')}\n`;
    expect(await (await guest.open()).run('x')).to.equal('mine');
  });

  it('says what a failing script said', async () => {
    const channel = await guest.open();
    guest.answer = (_, id) => `${id} 3 ${encode('ip: no such\ndevice\n')}\n`;
    expect(await refused(channel.run('ip'))).to.equal('command-failed: virtual machine m1: ip: no such; device');
    guest.answer = (_, id) => `${id} 137 \n`;
    expect(await refused(channel.run('sleep'))).to.equal('command-failed: virtual machine m1: status 137');
  });

  it('waits no longer than it may, and goes on afterwards', async () => {
    const channel = await guest.open();
    const answer = guest.answer;
    guest.answer = () => undefined;
    expect(await refused(channel.run('x', 20))).to.equal(
      'no-answer: virtual machine m1 does not answer: silent for 20 ms',
    );
    guest.answer = answer;
    expect(await channel.run('y')).to.equal('did y');
  });

  it('is not open before the machine answers', async () => {
    guest.answer = () => undefined;
    expect(await refused(guest.open(20))).to.contain('silent for 20 ms');
    expect(guest.closed).to.equal(0);
  });

  it('tells the end of the machine once, and fails what waits', async () => {
    const channel = await guest.open();
    guest.answer = () => {
      guest.end();
      return undefined;
    };
    expect(await refused(channel.run('x'))).to.equal('no-answer: virtual machine m1 does not answer: it ended');
    expect(guest.closed).to.equal(1);
    expect(await refused(channel.run('y'))).to.contain('it ended');
    expect(guest.closed).to.equal(1);
  });

  it('tells nothing when it is closed from here', async () => {
    const channel = await guest.open();
    guest.answer = () => undefined;
    const waiting = refused(channel.run('x'));
    channel.close();
    expect(await waiting).to.contain('the channel is closed');
    expect(guest.closed).to.equal(0);
  });

  it('is cut off when the machine talks without end', async () => {
    const channel = await guest.open();
    guest.answer = () => undefined;
    const waiting = refused(channel.run('x'));
    guest.say(Buffer.alloc((16 << 20) + 2, 'a'));
    expect(await waiting).to.contain('it ended');
    expect(guest.closed).to.equal(1);
  });

  it('refuses a script that the machine could not keep', async () => {
    const channel = await guest.open();
    expect(await refused(channel.run('x'.repeat(4 << 20)))).to.contain('4194304 characters are too many');
  });

  it('says when there is no machine', async () => {
    const init = { path: `${guest.path}.not`, name: 'm1', closed: () => {}, told: () => {} };
    expect(await refused(VmChannel.open(init, 1_000))).to.match(
      /^no-answer: virtual machine m1 has no channel: .*ENOENT/,
    );
  });
});
