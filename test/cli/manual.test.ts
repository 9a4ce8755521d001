import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { describeCommand, everyCommand } from '../../src/cli/manual/describe.ts';
import { manualPage } from '../../src/cli/manual/page.ts';
import { createProgram } from '../../src/cli/program.ts';
import { packaged } from '../../src/util/paths.ts';
import { hostlb } from '../support/cli.ts';

const run = promisify(execFile);
const PAGE = packaged('man/hostlb.1');

describe('CLI: the manual page and completion', () => {
  const described = async () => {
    const io = { stdout: { write: () => {} }, stderr: { write: () => {} }, stdin: (async function* () {})() };
    const signal = new AbortController().signal;
    return describeCommand(await createProgram(['completion'], { ...io, env: {}, signal }));
  };
  /** What bash offers after these words, the last of which is incomplete. */
  const offered = async (...words: readonly string[]): Promise<string[]> => {
    const { stdout: script } = await hostlb(['completion', 'bash']);
    const quoted = words.map((word) => `'${word}'`).join(' ');
    const ask = `COMP_WORDS=(hostlb ${quoted}); COMP_CWORD=${words.length}; _hostlb; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await run('bash', ['-c', `${script}\n${ask}`]);
    return stdout.split('\n').filter((line) => line !== '');
  };

  it('the page that is checked in is that of the commands (HOSTLB_WRITE_DOCS=1 writes it)', async () => {
    const { version } = JSON.parse(readFileSync(packaged('package.json'), 'utf8')) as { version: string };
    const page = manualPage(await described(), version);
    if (process.env.HOSTLB_WRITE_DOCS === '1') writeFileSync(PAGE, page);
    expect(readFileSync(PAGE, 'utf8')).to.equal(page);
    for (const { path, subcommands } of everyCommand(await described())) {
      if (subcommands.length === 0) expect(page).to.include(['hostlb', ...path].join(' ').replaceAll('-', '\\-'));
    }
  });

  it('bash completes commands, options and the values that there are', async () => {
    expect(await offered('listen')).to.deep.equal(['listener']);
    expect(await offered('lb', 'c')).to.deep.equal(['create']);
    expect(await offered('lb', 'create', '--pl')).to.deep.equal(['--placement']);
    expect(await offered('lb', 'create', '--placement', 'n')).to.deep.equal(['namespace']);
    expect(await offered('lab', 'vm', '')).to.include('add');
    expect(await offered('completion', '')).to.deep.equal([]);
  });

  it('zsh and fish get every command and option, too', async () => {
    for (const shell of ['zsh', 'fish']) {
      const { stdout, code } = await hostlb(['completion', shell]);
      expect(code).to.equal(0);
      for (const word of ['lb-add', 'healthmonitor', 'Octavia API instead', 'namespace'])
        expect(stdout).to.include(word);
    }
    const { code, stderr } = await hostlb(['completion', 'tcsh']);
    expect([code, stderr.includes('Allowed choices are bash, zsh, fish')]).to.deep.equal([2, true]);
  });
});
