/** What the numbers in a host's switch stand for: for `hostlb flows` and `hostlb trace`. */
import { factsOf } from '../../explain/facts.ts';
import { requireHost } from '../../model/lookup.ts';
import { type Answer, type Call, param, type Route } from '../route.ts';

function facts(call: Call): Answer {
  const { model, view } = call;
  return { body: factsOf(model, requireHost(model, param(call, 'name')), view.ports(), view.finding) };
}

export const explainRoutes: readonly Route[] = [{ method: 'GET', path: '/hosts/:name/facts', answer: facts }];
