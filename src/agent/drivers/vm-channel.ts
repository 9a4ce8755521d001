/**
 * The way into a virtual machine: a line protocol over a virtio-serial port, which QEMU shows here as a unix socket.
 *
 *   agent  ID SCRIPT .      ─▶ guest      the script in base64; a line without its dot was cut off and is passed over
 *   agent  ◀─ ID STATUS OUTPUT            the answer, output in base64; requests are served one after the other
 *   agent  ◀─ hello VERSION               to each agent that connects; VERSION is the image's
 *   agent  ◀─ ended PID STATUS            something that a script left running has ended
 *
 * docs/decisions/vm-channel.md says why.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { AgentError } from '../errors.ts';

/** The guest ends a script after 30 s; its answer may have to wait for those before it. */
const ANSWER_TIMEOUT_MS = 45_000;
/** With base64, the guest keeps it three times in its memory for a moment. */
const MAX_SCRIPT_SIZE = 4 << 20;
/** The guest cuts its output off below that. */
const MAX_LINE_SIZE = 16 << 20;

export interface VmChannelInit {
  /** Path of the unix socket. */
  readonly path: string;
  /** The machine's name, for messages. */
  readonly name: string;
  /** Called once when the other side closed the channel: the machine ended. Not after `close`. */
  readonly closed: () => void;
  /** Called with the words of each line that answers nothing. */
  readonly told: (words: readonly string[]) => void;
}

interface Pending {
  readonly resolve: (answer: { readonly status: number; readonly output: string }) => void;
  readonly reject: (error: AgentError) => void;
}

export class VmChannel {
  readonly #init: VmChannelInit;
  readonly #socket: Socket;
  readonly #pending = new Map<string, Pending>();
  /** Answers to an earlier agent are none to us. */
  readonly #prefix = randomBytes(8).toString('hex');
  #requests = 0;
  #isOpen = false;
  #chunks: Buffer[] = [];
  #size = 0;

  private constructor(init: VmChannelInit, socket: Socket) {
    this.#init = init;
    this.#socket = socket;
    socket.on('error', () => {}).on('data', (chunk) => this.#receive(chunk));
    socket.once('close', () => this.#end());
  }

  /** Resolves when the machine answers. Throws AgentError('no-answer') when it ends before, or after `timeoutMs`. */
  static async open(init: VmChannelInit, timeoutMs: number): Promise<VmChannel> {
    const socket = connect(init.path);
    try {
      await once(socket, 'connect');
    } catch (cause) {
      throw new AgentError('no-answer', `virtual machine ${init.name} has no channel: ${(cause as Error).message}`, {
        cause,
      });
    }
    const channel = new VmChannel(init, socket);
    try {
      // Ends what an agent before may have left half-written.
      socket.write('\n');
      await channel.run(':', timeoutMs);
      channel.#isOpen = true;
      return channel;
    } catch (error) {
      channel.close();
      throw error;
    }
  }

  /**
   * Has the guest's shell run a script; resolves to what it printed. What it leaves running lives on.
   * Throws AgentError: `command-failed` with the output when it fails, `no-answer` when the machine ends or is silent.
   */
  async run(script: string, timeoutMs: number = ANSWER_TIMEOUT_MS): Promise<string> {
    const { name } = this.#init;
    const body = Buffer.from(script).toString('base64');
    if (body.length > MAX_SCRIPT_SIZE) {
      throw new AgentError(
        'command-failed',
        `virtual machine ${name}: ${script.length} characters are too many for it`,
      );
    }
    const { status, output } = await this.#request(body, timeoutMs);
    if (status === 0) return output;
    const said = output.trim().replaceAll('\n', '; ').slice(0, 400);
    throw new AgentError('command-failed', `virtual machine ${name}: ${said || `status ${status}`}`);
  }

  /** Lets go of the machine, which goes on. */
  close(): void {
    this.#socket.removeAllListeners('close').destroy();
    this.#refuse('the channel is closed');
  }

  async #request(body: string, timeoutMs: number): Promise<{ readonly status: number; readonly output: string }> {
    const id = `${this.#prefix}${(this.#requests++).toString(16)}`;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        const refuse = (why: string) =>
          reject(new AgentError('no-answer', `virtual machine ${this.#init.name} does not answer: ${why}`));
        if (this.#socket.destroyed) return refuse('it ended');
        timer = setTimeout(() => refuse(`silent for ${timeoutMs} ms`), timeoutMs);
        this.#pending.set(id, { resolve, reject });
        this.#socket.write(`${id} ${body} .\n`);
      });
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  #receive(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      const line = Buffer.concat([...this.#chunks, chunk.subarray(start, end)]).toString('latin1');
      this.#chunks = [];
      this.#size = 0;
      start = end + 1;
      this.#line(line);
    }
    if (start === chunk.length) return;
    this.#chunks.push(chunk.subarray(start));
    this.#size += chunk.length - start;
    // A guest that says so much is broken, or somebody else's by now.
    if (this.#size > MAX_LINE_SIZE) this.#socket.destroy();
  }

  #line(line: string): void {
    const words = line.trim().split(/\s+/);
    const [id = '', status, output = ''] = words;
    const pending = this.#pending.get(id);
    if (pending === undefined) this.#init.told(words);
    else pending.resolve({ status: Number(status), output: Buffer.from(output, 'base64').toString() });
  }

  #end(): void {
    this.#refuse('it ended');
    if (this.#isOpen) this.#init.closed();
  }

  #refuse(why: string): void {
    const error = new AgentError('no-answer', `virtual machine ${this.#init.name} does not answer: ${why}`);
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
