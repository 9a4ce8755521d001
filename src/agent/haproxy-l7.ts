/** L7 policies in HAProxy's words. */
import type { L7Action, L7CompareType, L7Policy, L7Rule, L7RuleType } from '../model/l7.ts';
import type { ServedPolicy } from './haproxy-backend.ts';
import { argument, formatted, quoted } from './haproxy-words.ts';

/**
 * Requests are rejected before they are sent elsewhere, and that before a pool is chosen; among policies that do the same,
 * positions count, and the first that matches. So it is in Octavia's own balancers.
 */
const ORDER: readonly (readonly L7Action[])[] = [
  ['REJECT'],
  ['REDIRECT_TO_URL', 'REDIRECT_PREFIX'],
  ['REDIRECT_TO_POOL'],
];

/** The lines of a frontend that carry its policies out. A rule's id names its condition. */
export function policyLines(policies: readonly ServedPolicy[]): string[] {
  const ordered = ORDER.flatMap((actions) => policies.filter(({ policy }) => actions.includes(policy.action)));
  return [
    ...ordered.flatMap(({ policy }) => rulesOf(policy).map(conditionLine)),
    ...ordered.map((served) => `${actionWords(served)} if ${rulesOf(served.policy).map(conditionName).join(' ')}`),
  ];
}

const rulesOf = ({ rules }: L7Policy): readonly L7Rule[] => rules.filter(({ adminStateUp }) => adminStateUp);

const conditionName = ({ id, invert }: L7Rule): string => `${invert ? '!' : ''}${id}`;

function actionWords({ policy, backend }: ServedPolicy): string {
  const { action, redirectUrl, redirectPrefix, redirectHttpCode } = policy;
  switch (action) {
    case 'REJECT':
      return 'http-request deny';
    case 'REDIRECT_TO_URL':
      return `http-request redirect code ${redirectHttpCode} location ${formatted(redirectUrl!)}`;
    case 'REDIRECT_PREFIX':
      return `http-request redirect code ${redirectHttpCode} prefix ${formatted(redirectPrefix!)}`;
    case 'REDIRECT_TO_POOL':
      return `use_backend ${backend!.name}`;
    default:
      return action satisfies never;
  }
}

/** What a type looks at. A header with a list of values matches if one of them does. */
const SUBJECTS: Readonly<Record<L7RuleType, (field: string) => string>> = {
  HOST_NAME: () => 'req.hdr(host),host_only',
  PATH: () => 'path',
  // What follows the last dot of the path's last part; where there is no dot, there is nothing to match.
  FILE_TYPE: () => 'path,field(-1,/),field(2,.,0),field(-1,.)',
  HEADER: (field) => `req.hdr(${argument(field)})`,
  COOKIE: (field) => `req.cook(${argument(field)})`,
};

const METHODS: Readonly<Record<L7CompareType, string>> = {
  REGEX: 'reg',
  STARTS_WITH: 'beg',
  ENDS_WITH: 'end',
  CONTAINS: 'sub',
  EQUAL_TO: 'str',
};

function conditionLine({ id, type, compareType, field, value }: L7Rule): string {
  const anyCase = type === 'HOST_NAME' ? '-i ' : '';
  // Of what follows `--`, nothing is an option, such as one to read a file.
  const words = `${anyCase}-m ${METHODS[compareType]} -- ${quoted(textOf(compareType, value))}`;
  return `acl ${id} ${quoted(SUBJECTS[type](field ?? ''))} ${words}`;
}

/**
 * How much PCRE may backtrack, in its own measure; then the text does not match. A tenth of a millisecond: HAProxy aborts when
 * one request keeps it busy for 2 s, and at PCRE's default 200 regular expressions can do that.
 */
const MATCH_LIMIT = '(*LIMIT_MATCH=100000)';

/** As in Octavia, a value in double quotes is meant without them: so it has room for spaces. */
function textOf(compareType: L7CompareType, value: string): string {
  return compareType === 'REGEX' ? `${MATCH_LIMIT}${value}` : value.replace(/^"(.+)"$/, '$1');
}
