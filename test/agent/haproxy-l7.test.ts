import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import { servicesOf } from '../../src/agent/haproxy-backend.ts';
import { frontendLines } from '../../src/agent/haproxy-frontend.ts';
import type { L7CompareType, L7Policy, L7Rule, L7RuleType } from '../../src/model/l7.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { regexProblem } from '../../src/model/regex.ts';
import type { Listener, Pool } from '../../src/model/types.ts';
import { requireSystem } from '../support/requirements.ts';
import { Fixture, freePort, type RequestOptions, request } from './loopback.ts';
import { listener, loadBalancer, member, policy, pool, rule } from './model.ts';

const HTTP = { protocol: 'HTTP' } as const;
const linesOf = (one: Listener) => servicesOf([one]).map((service) => frontendLines(service, ['10.0.0.100']));

describe('L7 policies in HAProxy', function () {
  this.timeout(115_000);
  const web = pool('web', []);
  const images = pool('images', []);

  it('read so: rejected is first, then sent elsewhere, then to a pool', () => {
    const policies = [
      policy('p1', 'REDIRECT_TO_POOL', {
        redirectPool: images,
        rules: [
          rule('r1', { type: 'HEADER', compareType: 'CONTAINS', field: "It's", value: '"a $b \\ c"' }),
          rule('r2', { type: 'COOKIE', compareType: 'EQUAL_TO', field: 'who', value: '-f', invert: true }),
          rule('off', { adminStateUp: false }),
        ],
      }),
      policy('p2', 'REDIRECT_TO_URL', { redirectUrl: 'http://x.example/%41?a=$b', redirectHttpCode: 308 }),
      policy('p3', 'REDIRECT_PREFIX', {
        redirectPrefix: 'https://x.example',
        rules: [rule('r3', { type: 'HOST_NAME', compareType: 'ENDS_WITH', value: '.Example' })],
      }),
      policy('p4', 'REJECT', {
        rules: [rule('r4', { type: 'FILE_TYPE', compareType: 'REGEX', value: '^(jpg|png)$' })],
      }),
      policy('p5', 'REJECT', { rules: [] }),
      policy('p6', 'REJECT', { adminStateUp: false }),
    ];
    const [lines] = linesOf(listener('http', web, { ...HTTP, l7Policies: policies }));
    expect(lines!.slice(lines!.indexOf('timeout client 50000ms') + 1)).to.deep.equal([
      'acl r4 "path,field(-1,/),field(2,.,0),field(-1,.)" -m reg -- "(*LIMIT_MATCH=100000)^(jpg|png)\\$"',
      'acl p2-any "path" -m beg -- "/"',
      'acl r3 "req.hdr(host),host_only" -i -m end -- ".Example"',
      'acl r1 "req.hdr(It\\\\\'s)" -m sub -- "a \\$b \\\\ c"',
      'acl r2 "req.cook(who)" -m str -- "-f"',
      'http-request deny if r4',
      'http-request redirect code 308 location "http://x.example/%%41?a=\\$b" if p2-any',
      'http-request redirect code 302 prefix "https://x.example" if r3',
      'use_backend images if r1 !r2',
      'default_backend web',
    ]);
  });

  it('serve without a default pool; without anything to do they do not', () => {
    const reject = { ...HTTP, l7Policies: [policy('p1', 'REJECT')] };
    const toPool = (given: Partial<Pool>) =>
      policy('p1', 'REDIRECT_TO_POOL', { redirectPool: pool('images', [], given) });
    expect(linesOf(listener('http', undefined, reject))[0]!.at(-1)).to.equal('http-request deny if p1-any');
    expect(linesOf(listener('http', pool('web', [], { adminStateUp: false }), reject))).to.have.length(1);
    expect(linesOf(listener('http', undefined, { ...HTTP, l7Policies: [toPool({})] }))).to.have.length(1);
    for (const given of [
      { l7Policies: [] },
      { l7Policies: [policy('p1', 'REJECT', { rules: [] })] },
      { l7Policies: [toPool({ adminStateUp: false })] },
      { ...reject, adminStateUp: false },
    ]) {
      expect(linesOf(listener('http', undefined, { ...HTTP, ...given }))).to.deep.equal([]);
    }
  });

  describe('as HAProxy reads them', () => {
    let dir: string;
    before(async function () {
      requireSystem(this, ['haproxy']);
      dir = await mkdtemp(join(tmpdir(), 'haproxy-'));
    });
    after(() => dir && rm(dir, { recursive: true }));

    async function complaints(policies: readonly L7Policy[]): Promise<readonly string[]> {
      const file = join(dir, 'haproxy.cfg');
      const [lines] = linesOf(listener('http', undefined, { ...HTTP, l7Policies: policies }));
      await writeFile(
        file,
        ['defaults', 'timeout connect 1s', 'timeout server 1s', 'frontend f', ...lines!, ''].join('\n'),
      );
      const { stderr } = await promisify(execFile)('haproxy', ['-c', '-f', file]).catch((error) => error);
      return stderr.split('\n').filter((line: string) => /WARNING|ALERT/.test(line));
    }

    it('are accepted when they are as long as they may be', async () => {
      const value = '$'.repeat(255);
      const uuid = '00000000-0000-4000-8000-0000000000';
      const many = Array.from({ length: LIMITS.l7RulesPerPolicy }, (_, i) =>
        rule(`${uuid}${10 + i}`, {
          type: 'HEADER',
          compareType: 'EQUAL_TO',
          field: "'".repeat(255),
          value,
          invert: true,
        }),
      );
      const redirectUrl = `http://x/${'%41'.repeat(82)}`;
      expect(await complaints([policy('p1', 'REDIRECT_TO_URL', { redirectUrl, rules: many })])).to.deep.equal([]);
    });

    it('take every regular expression that the model takes', async () => {
      const pieces = fc.oneof(
        fc.constantFrom(...'ab01^$.|()[]{}*+?\\-:=!/"\' #'),
        fc.constantFrom('\\d', '\\b', '\\1', '\\x41', '[a-z]', '[^/]', '[[:alpha:]_]', '{2}', '{1,3}', '{0,}'),
        fc.constantFrom('(', '(?:', '(?=', '(?!', '(?i)', '(?i:', '(?P<n>', ')', '*?', '++', '(a|b)', '(a{9}){9}'),
      );
      const texts = fc.array(pieces, { minLength: 1, maxLength: 12 }).map((parts) => parts.join(''));
      const sample = fc.sample(texts, 15_000).filter((text) => regexProblem(text) === undefined);
      expect(sample.length).to.be.greaterThan(1000);
      const largest = [
        '(([a-z]|b)[[:alpha:]]){150}',
        '([^a]{1000}[^b]{1000}){300}',
        `${'('.repeat(127)}a${')'.repeat(127)}`,
      ];
      for (const text of largest) expect(regexProblem(text), text).to.equal(undefined);
      const rules = [...largest, ...sample].map((value, i) => rule(`r${i}`, { compareType: 'REGEX', value }));
      expect(await complaints(rules.map((one, i) => policy(`p${i}`, 'REJECT', { rules: [one] })))).to.deep.equal([]);
    });
  });

  describe('over connections', () => {
    const fixture = new Fixture();
    let port: number;
    before(async function () {
      requireSystem(this, ['haproxy']);
    });
    after(() => fixture.end());

    type Row = readonly [type: L7RuleType, compareType: L7CompareType, value: string, field?: string];
    type Asked = readonly [path: string, headers?: Readonly<Record<string, string>>];

    /** What the rule lets through to `s2`; everything else is for `s1`. */
    const ROWS: readonly (readonly [Row, matched: readonly Asked[], others: readonly Asked[]])[] = [
      [
        ['PATH', 'STARTS_WITH', '/img'],
        [['/img/a'], ['/img']],
        [['/a/img'], ['/IMG']],
      ],
      [
        ['PATH', 'EQUAL_TO', '/a'],
        [['/a'], ['/a?b=c']],
        [['/a/'], ['/ab']],
      ],
      [['PATH', 'ENDS_WITH', '/z'], [['/a/z']], [['/z/a']]],
      [['PATH', 'CONTAINS', '%20x'], [['/a%20xb']], [['/a x'.replace(' ', '')]]],
      [
        ['PATH', 'REGEX', '^/(a|b)\\d+$'],
        [['/a1'], ['/b22']],
        [['/c1'], ['/a']],
      ],
      [
        ['HOST_NAME', 'EQUAL_TO', 'www.example.com'],
        [['/', { host: 'WWW.Example.com:81' }]],
        [['/', { host: 'example.com' }]],
      ],
      [
        ['HOST_NAME', 'ENDS_WITH', '.example.com'],
        [['/', { host: 'a.example.com' }]],
        [['/', { host: 'a.example.org' }]],
      ],
      [
        ['FILE_TYPE', 'EQUAL_TO', 'jpg'],
        [['/a.jpg'], ['/b/c.tar.jpg?x=1']],
        [['/jpg'], ['/a.jpg/b'], ['/a.jpeg']],
      ],
      [['FILE_TYPE', 'REGEX', '^jpe?g$'], [['/a.jpeg']], [['/a.xjpg'], ['/jpeg']]],
      [['FILE_TYPE', 'REGEX', '.*'], [['/a.b']], [['/a.b/c']]],
      [['HEADER', 'EQUAL_TO', '"a b"', 'X-Way'], [['/', { 'x-way': 'a b' }]], [['/', { 'x-way': '"a b"' }], ['/']]],
      [['HEADER', 'CONTAINS', '-f', "it's"], [['/', { "it's": 'x-fy' }]], [['/', { its: '-f' }]]],
      [
        ['COOKIE', 'STARTS_WITH', 'gold', 'rank'],
        [['/', { cookie: 'a=b; rank=golden' }]],
        [['/', { cookie: 'rankx=gold' }]],
      ],
    ];

    it('choose the pool by what a rule looks at', async () => {
      const { port: memberPort } = await fixture.backends(2);
      const [first, second] = ['127.0.0.1', '127.0.0.2'].map((address) =>
        pool(`pool-${address}`, [member(address, { protocolPort: memberPort })], HTTP),
      );
      port = await freePort();
      const balancer = await fixture.balancer();
      const serve = (rules: readonly L7Rule[]) =>
        balancer.serve(
          loadBalancer(
            [
              listener('http', first, {
                ...HTTP,
                protocolPort: port,
                l7Policies: [policy('p1', 'REDIRECT_TO_POOL', { redirectPool: second!, rules })],
              }),
            ],
            { vips: ['127.0.0.1'] },
          ),
        );
      const who = async ([path, headers = {}]: Asked) =>
        (await request(`http://127.0.0.1:${port}${path}`, { headers })).body;
      for (const [[type, compareType, value, field], matched, others] of ROWS) {
        const one = { type, compareType, value, field };
        for (const invert of [false, true]) {
          await serve([rule('r1', { ...one, invert })]);
          for (const asked of matched) expect(await who(asked), `${value} ${asked}`).to.equal(invert ? 's1' : 's2');
          for (const asked of others) expect(await who(asked), `${value} ${asked}`).to.equal(invert ? 's2' : 's1');
        }
      }
      await serve([rule('r1', { value: '/a' }), rule('r2', { compareType: 'ENDS_WITH', value: '/z' })]);
      expect([await who(['/a/z']), await who(['/a']), await who(['/z'])]).to.deep.equal(['s2', 's1', 's1']);
    });

    it('outlive requests that drive as many regular expressions as there may be into all their backtracking', async () => {
      const { port: memberPort } = await fixture.backends(1);
      const balancer = await fixture.balancer();
      port = await freePort();
      const slow = { compareType: 'REGEX', value: '^/(([a-z]+)+[a-z]+)+$', invert: true } as const;
      const rulesOf = (i: number) => [
        ...Array.from({ length: LIMITS.l7RulesPerPolicy - 1 }, (_, j) => rule(`r${i}-${j}`, slow)),
        rule(`r${i}-last`, { value: '/never' }),
      ];
      const count = Math.floor(LIMITS.l7RulesPerLoadBalancer / LIMITS.l7RulesPerPolicy);
      const l7Policies = Array.from({ length: count }, (_, i) => policy(`p${i}`, 'REJECT', { rules: rulesOf(i) }));
      const web = pool('slow', [member('127.0.0.1', { protocolPort: memberPort })], HTTP);
      const one = listener('http', web, { ...HTTP, protocolPort: port, l7Policies });
      await balancer.serve(loadBalancer([one], { vips: ['127.0.0.1'] }));
      expect((await request(`http://127.0.0.1:${port}/${'a'.repeat(40)}!`)).body).to.equal('s1');
    });

    it('answer by themselves what they reject or send elsewhere; changes of members of their pools reload nothing', async () => {
      const { port: memberPort } = await fixture.backends(2);
      const members = ['127.0.0.1', '127.0.0.2'].map((address) => member(address, { protocolPort: memberPort }));
      const balancer = await fixture.balancer();
      port = await freePort();
      const serve = (its: Pool['members']) => {
        const starts = (value: string) => [rule(`r${value.replaceAll('/', '.')}`, { value })];
        const l7Policies = [
          policy('p1', 'REDIRECT_TO_POOL', { redirectPool: pool('api', its, HTTP), rules: starts('/api') }),
          policy('p2', 'REDIRECT_TO_URL', { redirectUrl: 'http://x.example/%41?$b', rules: starts('/old') }),
          policy('p3', 'REDIRECT_PREFIX', {
            ...{ redirectPrefix: 'https://x.example/p', redirectHttpCode: 301, rules: starts('/moved') },
          }),
          policy('p4', 'REJECT', { rules: starts('/api/secret') }),
        ];
        return balancer.serve(
          loadBalancer([listener('http', undefined, { ...HTTP, protocolPort: port, l7Policies })], {
            vips: ['127.0.0.1'],
          }),
        );
      };
      const ask = async (path: string, options?: RequestOptions) => {
        const { status, body, headers } = await request(`http://127.0.0.1:${port}${path}`, options);
        return [status, headers.location ?? (status === 200 ? body : '')];
      };
      await serve(members.slice(0, 1));
      expect(await ask('/api')).to.deep.equal([200, 's1']);
      expect(await ask('/old/x')).to.deep.equal([302, 'http://x.example/%41?$b']);
      expect(await ask('/moved/x?y=z')).to.deep.equal([301, 'https://x.example/p/moved/x?y=z']);
      expect(await ask('/api/secret')).to.deep.equal([403, '']);
      expect(await ask('/')).to.deep.equal([503, '']);
      const worker = await balancer.worker();
      await serve(members.slice(1));
      expect(await ask('/api')).to.deep.equal([200, 's2']);
      expect(await balancer.worker()).to.equal(worker);
      const { counters, memberHealth } = await balancer.observe();
      expect(counters[members[1]!.id]!.totalConnections).to.equal(1);
      expect(memberHealth).to.deep.equal({ [members[1]!.id]: 'NO_MONITOR' });
    });
  });
});
