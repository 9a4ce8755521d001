/** Looking up projects, users and roles: clients turn names into ids with it. Ids of projects and roles are their names. */
import { reach } from '../auth/caller.ts';
import { hashPassword } from '../auth/passwords.ts';
import { FORBIDDEN } from '../auth/policy.ts';
import { ApiError, shorten } from '../errors.ts';
import { type Answer, type Call, param, type Route } from '../route.ts';
import { DOMAIN, projectJson, roleJson, userJson } from './json.ts';
import { passwordRequest, readRequest } from './requests.ts';
import type { IdentityInit } from './routes.ts';

export function directoryRoutes({ logins }: IdentityInit): readonly Route[] {
  const { accounts } = logins;
  const isAdmin = (call: Call): boolean => reach(call.caller, 'appoint') === 'all';
  const notFound = (what: string, id: string): ApiError => new ApiError(404, `Could not find ${what}: ${shorten(id)}.`);

  /** An administrator sees all projects, others those that they have a role in. */
  const visible = (call: Call): ReadonlySet<string> => {
    if (isAdmin(call)) return accounts.projects();
    const granted = Object.keys(accounts.findUser(call.caller.user.id)?.grants ?? {});
    return new Set([...granted, ...(call.caller.project === undefined ? [] : [call.caller.project])]);
  };

  const listProjects = (call: Call): Answer => {
    const name = call.query.get('name');
    const projects = [...visible(call)].filter((project) => name === null || project === name);
    return { body: { projects: projects.sort().map(projectJson), links: {} } };
  };

  const showProject = (call: Call): Answer => {
    const id = param(call, 'id');
    if (!visible(call).has(id)) throw notFound('project', id);
    return { body: { project: projectJson(id) } };
  };

  const listUsers = (call: Call): Answer => {
    const name = call.query.get('name');
    const users = accounts.users().filter((user) => isAdmin(call) || user.id === call.caller.user.id);
    return {
      body: { users: users.filter((user) => name === null || user.name === name).map(userJson), links: {} },
    };
  };

  const showUser = (call: Call): Answer => {
    const id = param(call, 'id');
    const user = accounts.findUser(id);
    if (user === undefined || user.id !== id || !(isAdmin(call) || id === call.caller.user.id)) {
      throw notFound('user', id);
    }
    return { body: { user: userJson(user) } };
  };

  /** A new password for oneself, by the old one. Tokens end with the old one. */
  const changePassword = async (call: Call): Promise<Answer> => {
    if (param(call, 'id') !== call.caller.user.id) throw new ApiError(403, FORBIDDEN);
    const { user: given } = readRequest(passwordRequest, call.body);
    const user = await logins.byPassword(call.source, call.caller.user.id, given.original_password);
    await accounts.putUser(user.name, { passwordHash: await hashPassword(given.password) });
    return { status: 204 };
  };

  const listAssignments = (call: Call): Answer => {
    const { query } = call;
    const wanted = (key: string) => query.get(`${key}.id`);
    const all = accounts
      .users()
      .filter((user) => isAdmin(call) || user.id === call.caller.user.id)
      .flatMap(({ id, grants }) => Object.entries(grants).map(([project, roles]) => ({ id, project, roles })))
      .filter(({ id }) => (wanted('user') ?? id) === id)
      .filter(({ project }) => (query.get('scope.project.id') ?? wanted('project') ?? project) === project);
    const role_assignments = all.flatMap(({ id, project, roles }) =>
      roles.map((role) => ({ role: { id: role }, user: { id }, scope: { project: { id: project } }, links: {} })),
    );
    return { body: { role_assignments, links: {} } };
  };

  const domain = { ...DOMAIN, enabled: true, description: '', options: {}, links: {} };

  return [
    { method: 'GET', path: '/projects', answer: listProjects },
    { method: 'GET', path: '/projects/:id', answer: showProject },
    { method: 'GET', path: '/users', answer: listUsers },
    { method: 'GET', path: '/users/:id', answer: showUser },
    { method: 'POST', path: '/users/:id/password', answer: changePassword },
    { method: 'GET', path: '/role_assignments', answer: listAssignments },
    { method: 'GET', path: '/roles/:id', answer: (call) => ({ body: { role: roleJson(param(call, 'id')) } }) },
    { method: 'GET', path: '/domains', answer: () => ({ body: { domains: [domain], links: {} } }) },
    {
      method: 'GET',
      path: '/domains/:id',
      answer: (call) => {
        if (param(call, 'id') !== DOMAIN.id) throw notFound('domain', param(call, 'id'));
        return { body: { domain } };
      },
    },
  ];
}
