/** The machine's scripts, run by a shell of this machine with a /run of its own. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import { checkScript, VALID, writeScript, writeStatesScript } from '../../src/agent/drivers/vm-guest.ts';
import { requireSystem } from '../support/requirements.ts';

const exec = promisify(execFile);

async function shell(...scripts: readonly string[]): Promise<string> {
  const all = ['set -e', 'mount -t tmpfs none /run', ...scripts].join('\n');
  return (await exec('unshare', ['--mount', 'sh', '-c', all], { env: { PATH: `${process.env.PATH}:/usr/sbin` } }))
    .stdout;
}

describe('scripts for a virtual machine', () => {
  before(function () {
    requireSystem(this, ['unshare', 'haproxy']);
  });

  it('keep a configuration as it is, whatever is in it', async () => {
    const line = fc.constantFrom('END', 'ENDD', "'", '$HOME', '`id`', '\\', 'EOF', ' END', '', '%s\t"');
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 8 }), async (lines) => {
        const config = `${lines.join('\n')}\n`;
        expect(await shell(writeScript(config), 'cat /run/haproxy.cfg')).to.equal(config);
      }),
      { numRuns: 25 },
    );
  });

  it('leave the kept configuration alone while another one is checked', async () => {
    const good =
      'defaults\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\nfrontend web\n  bind 127.0.0.1:1\n';
    const out = await shell(
      writeScript('kept\n'),
      checkScript('frontend web\n  nonsense\n'),
      'echo ---',
      checkScript(good),
      'cat /run/haproxy.cfg',
    );
    const [refused, rest] = out.split('---\n');
    expect(refused).not.to.contain(VALID);
    expect(rest).to.match(new RegExp(`${VALID}\nkept\n$`));
  });

  it('keep states of servers where the configuration names them', async () => {
    expect(await shell(writeStatesScript('1\n# a b\n'), 'cat /run/servers.state')).to.equal('1\n# a b\n');
  });
});
