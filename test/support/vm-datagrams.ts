/** UDP in a VM of a lab: a server that says who asks, and clients, each with a port of its own. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import type { Endpoint } from './vm.ts';

/** Answers `NAME CLIENT:PORT SIZE`, filled up to the size of what it got. */
export async function answerDatagrams(name: string, port: number): Promise<Socket> {
  const socket = createSocket('udp6');
  socket.on('message', (message, { address, port: from }) => {
    const said = `${name} ${address.replace('::ffff:', '')}:${from} ${message.length}`;
    socket.send(Buffer.from(said.padEnd(message.length)), from, address);
  });
  socket.bind(port, '::');
  await once(socket, 'listening');
  return socket;
}

/** So many datagrams out of one port, each after the answer to the one before: what was answered, or `error REASON`. */
export async function askDatagrams(
  endpoint: Endpoint & { readonly count?: number; readonly bytes?: number; readonly timeoutMs?: number },
): Promise<string[]> {
  const { address, port = 80, fromPort = 0, count = 1, bytes = 1, timeoutMs = 2000 } = endpoint;
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  const answers: string[] = [];
  try {
    socket.bind(fromPort);
    await once(socket, 'listening');
    // Connected, so that the system tells of errors.
    socket.connect(port, address);
    await once(socket, 'connect');
    for (let i = 0; i < count; i++) {
      const signal = AbortSignal.timeout(timeoutMs);
      const answer = once(socket, 'message', { signal });
      socket.send(Buffer.alloc(bytes));
      const [message] = (await answer) as [Buffer];
      answers.push(message.toString().trimEnd());
    }
  } catch (error) {
    const { name, code, message } = error as NodeJS.ErrnoException;
    answers.push(`error ${name === 'AbortError' ? 'silent' : (code ?? message)}`);
  } finally {
    socket.close();
  }
  return answers;
}
