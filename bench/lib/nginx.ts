/** nginx in VMs of a lab: the fastest member there is, so that what lies between is what is measured. */
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import type { Lab } from '../../src/lab/index.ts';
import { vmNamespace } from '../../src/lab/names.ts';
import { commandLine, kill, pidsIn } from '../../src/lab/process.ts';
import { defer } from './clean-up.ts';
import { execIn } from './lab.ts';

const BIG_FILE_BYTES = 64 << 20;

const configuration = (dir: string, vm: string): string => `
worker_processes 1;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  client_body_temp_path ${dir}; proxy_temp_path ${dir}; fastcgi_temp_path ${dir};
  uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
  sendfile on;
  server {
    listen 80 backlog=4096;
    listen [::]:80 backlog=4096;
    location / { return 200 "${vm}\\n"; }
    location /big { root ${dir}; }
  }
}
`;

/** Starts nginx on port 80 of each VM: its name at /, 64 MiB at /big. Ends with the lab. */
export async function startNginx(lab: Lab, vms: readonly string[]): Promise<void> {
  // Not below the lab's own folder: lab.down() knows its programs only by their namespaces.
  const dir = folder(lab);
  defer(() => rm(dir, { recursive: true, force: true }));
  await Promise.all(
    vms.map(async (vm) => {
      const own = `${dir}/${vm}`;
      await mkdir(own, { recursive: true });
      await writeFile(`${own}/nginx.conf`, configuration(own, vm));
      await writeFile(`${own}/big`, '');
      await truncate(`${own}/big`, BIG_FILE_BYTES);
      await start(lab, vm);
    }),
  );
}

const folder = (lab: Lab): string => `/tmp/${lab.name}-nginx`;

async function start(lab: Lab, vm: string): Promise<void> {
  await execIn(lab, vm, ['nginx', '-c', `${folder(lab)}/${vm}/nginx.conf`]);
}

/** The nginx of a VM dies (-9), master and worker. Answers how it starts again. */
export async function killNginx(lab: Lab, vm: string): Promise<() => Promise<void>> {
  await kill(pidsIn([vmNamespace(lab.name, vm)]).filter((pid) => commandLine(pid)[0]?.startsWith('nginx')));
  return () => start(lab, vm);
}
