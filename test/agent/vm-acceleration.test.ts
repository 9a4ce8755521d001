import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { findAcceleration } from '../../src/agent/drivers/vm-acceleration.ts';
import { requireSystem } from '../support/requirements.ts';
import { IMAGES_TIMEOUT_MS, VM_PROGRAMS, vmImages } from '../support/vm-images.ts';

describe('acceleration of virtual machines', function () {
  this.timeout(IMAGES_TIMEOUT_MS);
  let kernel: string;
  before(async function () {
    requireSystem(this, VM_PROGRAMS);
    kernel = join(await vmImages(), 'vmlinuz');
  });

  it('is none where there is no device for it', async () => {
    expect(await findAcceleration(kernel, '/dev/no-kvm')).to.equal('qemu');
  });

  it('is none where no kernel gets through its start', async () => {
    expect(await findAcceleration('/dev/null', '/dev/null')).to.equal('qemu');
  });

  it('is there where a kernel does', async function () {
    if (!existsSync('/dev/kvm')) {
      process.stdout.write('    skipped: this needs /dev/kvm\n');
      this.skip();
    }
    // Which of the two it is, nobody but the machine knows; that it is told in time is what counts.
    expect(await findAcceleration(kernel)).to.be.oneOf(['kvm', 'qemu']);
  });
});
