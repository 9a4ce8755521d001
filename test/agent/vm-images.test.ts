/** scripts/build-image: what it makes, and that it makes it once. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { packaged } from '../../src/util/paths.ts';
import { requireSystem } from '../support/requirements.ts';
import { IMAGES_TIMEOUT_MS, VM_PROGRAMS, vmImages } from '../support/vm-images.ts';

interface Ran {
  readonly code: number;
  readonly stderr: string;
  readonly stdout: string;
}

const exec = promisify(execFile);
const TAG = `localhost/hostlb-test-${process.pid}:1`;

describe('scripts/build-image', function () {
  this.timeout(IMAGES_TIMEOUT_MS);
  let folder: string;

  const build = (...words: readonly string[]): Promise<Ran> =>
    exec(packaged('scripts/build-image'), [...words], { env: { ...process.env, TMPDIR: folder } }).then(
      (done) => ({ code: 0, ...done }),
      (failed: Ran) => failed,
    );

  before(async function () {
    requireSystem(this, [...VM_PROGRAMS, 'podman']);
    folder = await mkdtemp(join(tmpdir(), 'hostlb-images-'));
  });
  // What it works with is gone, however it ended.
  afterEach(async () => expect(await readdir(folder)).to.deep.equal([]));
  after(async () => {
    if (folder === undefined) return;
    await rm(folder, { recursive: true });
    await exec('podman', ['rmi', '--force', TAG]).catch(() => {});
  });

  it('makes a container image that is HAProxy, and does not make it again', async () => {
    const first = await build('container', '--tag', TAG);
    expect(first.code, first.stderr).to.equal(0);
    expect(first.stderr).to.match(new RegExp(`${TAG}: \\d+ MB, haproxy=`));
    const created = async () =>
      (await exec('podman', ['image', 'inspect', '--format', '{{.Id}} {{.Config.Entrypoint}} {{.Size}}', TAG])).stdout;
    const before = await created();
    expect(before).to.contain('[/usr/sbin/haproxy]');
    expect(Number(before.split(' ').at(-1))).to.be.below(32 << 20);
    const again = await build('container', '--tag', TAG);
    expect(again.stderr).to.contain(`${TAG} is up to date`);
    expect(await created()).to.equal(before);
  });

  it('makes kernel and initramfs, and does not make them again', async () => {
    const output = await vmImages();
    expect((await readdir(output)).sort()).to.deep.equal(['initramfs', 'version', 'vmlinuz']);
    const before = await stat(join(output, 'initramfs'));
    expect(before.size).to.be.below(32 << 20);
    const again = await build('vm', '--output', output);
    expect(again.stderr).to.contain(`${output} is up to date`);
    expect((await stat(join(output, 'initramfs'))).mtimeMs).to.equal(before.mtimeMs);
    expect((await readFile(join(output, 'version'), 'utf8')).trim()).to.match(/^[0-9a-f]{16}$/);
  });

  it('takes another kernel, as one whose drivers are built in where it has no modules', async () => {
    const output = await mkdtemp(join(tmpdir(), 'hostlb-images-out-'));
    try {
      const kernel = join(output, 'other');
      // By the Linux boot protocol, the header says where the version is.
      const file = Buffer.alloc(0x1000);
      file.writeUInt16LE(0x300, 526);
      file.write('6.99.0-test (me) #1\0', 0x500);
      await writeFile(kernel, file);
      const { code, stderr } = await build('vm', '--output', output, '--kernel', kernel);
      expect(code, stderr).to.equal(0);
      expect(stderr).to.contain('no modules of Linux 6.99.0-test are installed');
      expect(await readFile(join(output, 'vmlinuz'))).to.deep.equal(file);
    } finally {
      await rm(output, { recursive: true });
    }
  });

  const WRONG: readonly (readonly [words: readonly string[], code: number, said: string])[] = [
    [[], 2, 'say which image: container or vm'],
    [['iso'], 2, "there is no image 'iso'"],
    [['vm', '--tag', 'x'], 2, "'--tag' is no option of vm"],
    [['vm', '--output'], 2, '--output needs a value'],
    [['vm', '--kernel', '/no/kernel'], 1, 'cannot read the kernel /no/kernel'],
    [['vm', '--output', '/proc/no'], 1, 'cannot write to /proc/no'],
  ];
  for (const [words, code, said] of WRONG) {
    it(`refuses: build-image ${words.join(' ')}`, async () => {
      const ran = await build(...words);
      expect(ran.stderr).to.contain(`build-image: ${said}`);
      expect(ran.code).to.equal(code);
    });
  }

  it('tells how it is used', async () => {
    expect((await build('--help')).stdout).to.contain('build-image container [--tag REF]');
  });
});
