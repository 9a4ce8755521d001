/** What puts a flow into a switch, and takes it out again. */
import { type Body, FLOW_COMMAND, FLOW_MOD_DEFAULTS, type Flow } from '../openflow/index.ts';

/** Field by field: tens of thousands are made at once, and spreading takes ten times as long. */
export function putFlow(flow: Flow): Body<'flow_mod'> {
  const { cookieMask, bufferId, outPort, outGroup } = FLOW_MOD_DEFAULTS;
  return {
    kind: 'flow_mod',
    command: FLOW_COMMAND.add,
    cookie: flow.cookie,
    cookieMask,
    tableId: flow.tableId,
    idleTimeout: flow.idleTimeout,
    hardTimeout: flow.hardTimeout,
    priority: flow.priority,
    bufferId,
    outPort,
    outGroup,
    flags: flow.flags,
    importance: flow.importance,
    match: flow.match,
    instructions: flow.instructions,
  };
}

/** Strict, and only under a cookie that this one selects: a flow that somebody else has put in its place stays. */
export function removeFlow(
  { tableId, priority, match }: Pick<Flow, 'tableId' | 'priority' | 'match'>,
  cookie: { readonly cookie: bigint; readonly cookieMask: bigint },
): Body {
  const command = FLOW_COMMAND.delete_strict;
  return { ...FLOW_MOD_DEFAULTS, kind: 'flow_mod', command, tableId, priority, match, ...cookie };
}
