/** Version discovery, and the operations of the small Keystone. */
import { z } from 'zod';
import { authRequest, credentialRequest, passwordRequest } from '../identity/requests.ts';
import { answer, list } from '../resources/kinds.ts';
import * as openstack from '../resources/openstack.ts';
import { type Operations, rooted } from './operation.ts';

const links = z.looseObject({});
const plural = (root: string, schema: z.ZodType) => ({ 200: answer({ [root]: list(schema), links }) });
const single = (root: string, schema: z.ZodType) => ({ 200: rooted(root, schema) });

const TOKENS = '/identity/v3/auth/tokens';
const CREDENTIALS = '/identity/v3/users/:id/application_credentials';

export const identityOperations: Operations = {
  'GET /identity': {
    summary: 'Where Keystone v3 is',
    answers: { 300: answer({ versions: answer({ values: list(openstack.version) }) }) },
  },
  'GET /identity/v3': { summary: 'The version of Keystone', answers: single('version', openstack.version) },
  [`POST ${TOKENS}`]: {
    summary: 'Log in',
    description: 'By password, token or application credential. The token is in the header `X-Subject-Token`.',
    body: authRequest,
    query: { nocatalog: 'Without the catalog' },
    answers: { 201: rooted('token', openstack.token) },
  },
  [`GET ${TOKENS}`]: { summary: 'Look at the token in `X-Subject-Token`', answers: single('token', openstack.token) },
  [`DELETE ${TOKENS}`]: { summary: 'Take back the token in `X-Subject-Token`', answers: { 204: undefined } },
  'GET /identity/v3/auth/catalog': { summary: 'What is served where', answers: plural('catalog', openstack.service) },
  'GET /identity/v3/auth/projects': {
    summary: 'Projects that one may log in to',
    answers: plural('projects', openstack.project),
  },
  'GET /identity/v3/projects': {
    summary: 'List projects',
    query: { name: 'Of this name' },
    answers: plural('projects', openstack.project),
  },
  'GET /identity/v3/projects/:id': { summary: 'Show a project', answers: single('project', openstack.project) },
  'GET /identity/v3/users': {
    summary: 'List users',
    query: { name: 'Of this name' },
    answers: plural('users', openstack.account),
  },
  'GET /identity/v3/users/:id': { summary: 'Show a user', answers: single('user', openstack.account) },
  'POST /identity/v3/users/:id/password': {
    summary: "Change one's own password",
    body: passwordRequest,
    answers: { 204: undefined },
  },
  'GET /identity/v3/role_assignments': {
    summary: 'Who has which role where',
    query: { 'user.id': 'Of this user', 'scope.project.id': 'In this project' },
    answers: plural('role_assignments', openstack.assignment),
  },
  'GET /identity/v3/roles/:id': { summary: 'Show a role', answers: single('role', openstack.role) },
  'GET /identity/v3/domains': { summary: 'List domains', answers: plural('domains', openstack.domain) },
  'GET /identity/v3/domains/:id': { summary: 'Show a domain', answers: single('domain', openstack.domain) },
  [`GET ${CREDENTIALS}`]: {
    summary: 'List application credentials',
    query: { name: 'Of this name' },
    answers: plural('application_credentials', openstack.credential),
  },
  [`POST ${CREDENTIALS}`]: {
    summary: 'Create an application credential',
    body: credentialRequest,
    answers: { 201: rooted('application_credential', openstack.credential) },
  },
  [`GET ${CREDENTIALS}/:credential`]: {
    summary: 'Show an application credential',
    answers: single('application_credential', openstack.credential),
  },
  [`DELETE ${CREDENTIALS}/:credential`]: {
    summary: 'Delete an application credential',
    answers: { 204: undefined },
  },
};

export const discoveryOperations: Operations = {
  'GET /': { summary: 'Versions of the Octavia API', answers: { 200: answer({ versions: list(openstack.version) }) } },
  'GET /v2.0': { summary: 'The version that is served', answers: single('version', openstack.version) },
  'GET /openapi.json': { summary: 'This description', answers: { 200: z.looseObject({ openapi: z.string() }) } },
};
