import type { Answer, Call, Route } from './route.ts';

/** When each minor version of Octavia's API came; the last is the one that is served, and includes all before. */
const MINOR_VERSIONS = [
  ...['2016-12-11', '2018-04-20', '2018-07-31', '2018-12-18', '2018-12-19', '2019-01-21', '2019-01-25', '2018-01-25'],
  ...['2019-02-12', '2019-03-04', '2019-03-05', '2019-06-24', '2019-09-11', '2019-09-13', '2019-11-10', '2020-03-10'],
  ...['2020-03-15', '2020-04-29', '2020-04-29', '2020-05-12', '2020-08-02', '2020-08-20', '2020-09-04', '2020-09-07'],
  ...['2020-10-15', '2021-10-02', '2022-08-29'],
];

/** Every version, with links that keep the path prefix of the request. */
function versions(call: Call, prefix: string) {
  const links = [{ href: `${call.origin}${prefix}/v2`, rel: 'self' }];
  return MINOR_VERSIONS.map((date, minor) => {
    const status = minor === MINOR_VERSIONS.length - 1 ? 'CURRENT' : 'SUPPORTED';
    return { id: `v2.${minor}`, status, updated: `${date}T00:00:00Z`, links };
  });
}

/** The version as a client finds it that was sent to its path: openstacksdk compares only the major number. */
function version(call: Call, prefix: string) {
  const href = `${call.origin}${prefix}/v2.0/`;
  return { id: 'v2.0', status: 'CURRENT', updated: '2016-12-11T00:00:00Z', links: [{ href, rel: 'self' }] };
}

/** Version discovery below a prefix: the list at its root, the version object at `/v2` and `/v2.0`. */
export function discoveryRoutes(prefix: string): readonly Route[] {
  const object = (call: Call): Answer => ({ body: { version: version(call, prefix) } });
  return [
    {
      method: 'GET',
      path: prefix === '' ? '/' : prefix,
      answer: (call) => ({ body: { versions: versions(call, prefix) } }),
    },
    { method: 'GET', path: `${prefix}/v2`, answer: object },
    { method: 'GET', path: `${prefix}/v2.0`, answer: object },
  ];
}
