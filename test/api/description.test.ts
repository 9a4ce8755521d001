/** The OpenAPI description: whole, checked in, and true of what is served. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { userRoutes } from '../../src/api/auth/users.ts';
import { apiPage } from '../../src/api/description/markdown.ts';
import { openApi } from '../../src/api/description/openapi.ts';
import { identityRoutes } from '../../src/api/identity/routes.ts';
import { routes } from '../../src/api/routes.ts';
import { packaged } from '../../src/util/paths.ts';
import { type ApiFixture, startApi } from '../support/api.ts';
import { describedPath } from '../support/described.ts';

const DOCUMENTS = [
  ['docs/openapi.json', () => `${JSON.stringify(openApi(), null, 1)}\n`],
  ['docs/api.md', apiPage],
] as const;

describe('API: the description', () => {
  for (const [file, make] of DOCUMENTS) {
    it(`${file} is that of the schemas (HOSTLB_WRITE_DOCS=1 writes it)`, () => {
      const text = make();
      if (process.env.HOSTLB_WRITE_DOCS === '1') writeFileSync(packaged(file), text);
      expect(readFileSync(packaged(file), 'utf8') === text, `${file} is out of date`).to.equal(true);
    });
  }

  it('tells of every route, and of no other', () => {
    const identity = [...identityRoutes({ logins: {}, config: {} } as never), ...userRoutes({} as never)];
    const served = [...routes, ...identity].map(
      ({ method, path }) => `${method.toLowerCase()} ${describedPath(path).replaceAll(/:(\w+)/g, '{$1}')}`,
    );
    const told = Object.entries(openApi().paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method} ${path}`),
    );
    expect([...new Set(served)].sort()).to.deep.equal(told.sort());
  });

  it('refers to what is there, and names each operation once', () => {
    const api = openApi();
    const text = JSON.stringify(api);
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      expect(api.components.schemas, name).to.have.property(name!);
    }
    const ids = Object.values(api.paths).flatMap((operations) =>
      Object.values(operations).map((one) => one.operationId),
    );
    expect(new Set(ids).size).to.equal(ids.length);
    expect(text).to.not.include('"$id"').and.not.include('"$schema"');
  });

  describe('served', () => {
    let api: ApiFixture;
    before(async () => {
      api = await startApi();
    });
    after(() => api.stop());

    it('is what is checked in', async () => {
      const { status, body, headers } = await api.send('GET', '/openapi.json');
      expect([status, String(headers['content-type'])]).to.deep.equal([200, 'application/json; charset=utf-8']);
      expect(body).to.deep.equal(JSON.parse(readFileSync(packaged('docs/openapi.json'), 'utf8')));
    });
  });
});
