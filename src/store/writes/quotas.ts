import { randomUUID } from 'node:crypto';
import { draftQuota } from '../../model/validate.ts';
import { byUuid, insert, update } from '../../ovsdb/index.ts';
import { OwnerTable, type Rows } from '../rows.ts';
import { share } from '../share.ts';
import type { QuotaChange } from '../types.ts';
import type { Write } from '../writer.ts';

/** Sets what an owner may have of the kinds that are named; undefined = the default. */
export function setQuota(owner: string, change: QuotaChange, rows: Rows): Write {
  const newId = randomUUID();
  return {
    plan: (changes) => {
      const existing = [...rows.owners.values()].find(({ name }) => name === owner);
      const draft = draftQuota(owner, { ...existing?.quotas, ...change });
      const { quota: quotas } = draft;
      if (existing !== undefined) {
        const isSame = share(existing.quotas, quotas) === existing.quotas;
        if (!isSame) changes.add(update(OwnerTable, byUuid(existing._uuid), { quotas }));
        return existing._uuid;
      }
      if (Object.keys(quotas).length > 0) {
        const row = { key: changes.takeKey(), name: draft.owner, quotas };
        changes.add(insert(OwnerTable, row, { uuid: newId }));
      }
      return newId;
    },
  };
}
