/** What puts a flow into a switch, and takes it out again. */
import { type Body, FLOW_COMMAND, FLOW_MOD_DEFAULTS, type Flow } from '../openflow/index.ts';

export function putFlow(flow: Flow): Body {
  return { ...FLOW_MOD_DEFAULTS, ...flow, kind: 'flow_mod', command: FLOW_COMMAND.add };
}

/** Strict, and only under a cookie that this one selects: a flow that somebody else has put in its place stays. */
export function removeFlow(
  { tableId, priority, match }: Pick<Flow, 'tableId' | 'priority' | 'match'>,
  cookie: { readonly cookie: bigint; readonly cookieMask: bigint },
): Body {
  const command = FLOW_COMMAND.delete_strict;
  return { ...FLOW_MOD_DEFAULTS, kind: 'flow_mod', command, tableId, priority, match, ...cookie };
}
