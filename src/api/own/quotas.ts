/** How many machines each owner may have. */
import { LIMITS } from '../../model/limits.ts';
import type { Model } from '../../model/types.ts';
import { integer, object } from '../fields.ts';
import { listAnswer, showAnswer } from '../query.ts';
import { quota } from '../resources/own.ts';
import type { QuotaJson } from '../resources.ts';
import { type Answer, type Call, param, type Route } from '../route.ts';
import { parseBody } from '../validate.ts';

/** Null: the default again. */
export const quotaPut = object({ vms: integer(0, Number.MAX_SAFE_INTEGER).nullable() });

function quotaJson({ virtualMachines, virtualMachineQuotas }: Model, owner: string): QuotaJson {
  const used = [...virtualMachines.values()].filter((machine) => machine.owner === owner).length;
  return { id: owner, owner, vms: virtualMachineQuotas.get(owner) ?? LIMITS.virtualMachinesPerOwner, vms_used: used };
}

function list(call: Call): Answer {
  const { virtualMachines, virtualMachineQuotas } = call.model;
  const owners = new Set([...virtualMachineQuotas.keys(), ...[...virtualMachines.values()].map(({ owner }) => owner)]);
  const quotas = [...owners].filter(call.mayReach).map((owner) => quotaJson(call.model, owner));
  return listAnswer(call, quotas, { plural: 'quotas', of: quota, order: ['owner'] });
}

/** Every owner has a quota, known or not. */
function show(call: Call): Answer {
  return showAnswer(call, 'quota', quotaJson(call.model, param(call, 'owner')));
}

async function put(call: Call): Promise<Answer> {
  const owner = param(call, 'owner');
  const { vms } = parseBody(quotaPut, call.body, { root: 'quota' });
  const { generation } = await call.store.setVirtualMachineQuota(owner, vms ?? undefined);
  return { generation, body: { quota: quotaJson(call.model, owner) } };
}

export const quotaRoutes: readonly Route[] = [
  { method: 'GET', path: '/quotas', answer: list },
  { method: 'GET', path: '/quotas/:owner', answer: show },
  { method: 'PUT', path: '/quotas/:owner', answer: put },
];
