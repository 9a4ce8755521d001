/** Availability zones and their profiles: groups of hosts. Zones go by name, as in Octavia, or by id. */
import { LIMITS } from '../../model/limits.ts';
import { requireAvailabilityZone, requireAvailabilityZoneProfile } from '../../model/lookup.ts';
import type { AvailabilityZone, AvailabilityZoneProfile } from '../../model/types.ts';
import { flag, listOf, object, text, unsettable } from '../fields.ts';
import { listAnswer, showAnswer } from '../query.ts';
import { availabilityZone, availabilityZoneProfile } from '../resources/octavia.ts';
import type { AvailabilityZoneJson, AvailabilityZoneProfileJson } from '../resources.ts';
import { type Answer, type Call, param, type Route } from '../route.ts';
import { parseBody } from '../validate.ts';
import { dataIn } from './common.ts';
import { requirePlacement } from './providers.ts';

/** What `availability_zone_data` may hold. */
const dataShape = object({
  hosts: listOf(text.min(1, 'Value should not be empty')).max(
    LIMITS.hostsPerZone,
    `Value should have at most ${LIMITS.hostsPerZone} elements`,
  ),
});

const data = text.max(65_536);
const profileShape = { name: text, provider_name: text, availability_zone_data: data };
export const zoneProfileCreate = object(profileShape);
export const zoneProfileUpdate = object(profileShape).partial();

const zoneShape = { description: unsettable(text, ''), enabled: unsettable(flag, true) };
export const zoneCreate = object({ ...zoneShape, name: text, availability_zone_profile_id: text });
export const zoneUpdate = object(zoneShape);

const PROFILE = { root: 'availability_zone_profile', argument: 'availability_zone_profile_' };
const ZONE = { root: 'availability_zone', argument: 'availability_zone_' };

const hostsIn = (json: string): readonly string[] =>
  dataIn(dataShape, json, { at: 'availability_zone_data', argument: `${PROFILE.argument}.${PROFILE.root}` }).hosts;

function profileJson({ id, name, placement, hosts }: AvailabilityZoneProfile): AvailabilityZoneProfileJson {
  return { id, name, provider_name: placement, availability_zone_data: JSON.stringify({ hosts }) };
}

function zoneJson({ id, name, description, enabled, profile }: AvailabilityZone): AvailabilityZoneJson {
  return { id, name, description, enabled, availability_zone_profile_id: profile.id };
}

const showProfile = (call: Call, id: string): Answer =>
  showAnswer(call, PROFILE.root, profileJson(requireAvailabilityZoneProfile(call.model, id)));

const showZone = (call: Call, name: string): Answer =>
  showAnswer(call, ZONE.root, zoneJson(requireAvailabilityZone(call.model, name)));

function listProfiles(call: Call): Answer {
  const profiles = [...call.model.availabilityZoneProfiles.values()].map(profileJson);
  return listAnswer(call, profiles, {
    plural: 'availability_zone_profiles',
    of: availabilityZoneProfile,
    order: ['name'],
  });
}

function listZones(call: Call): Answer {
  const zones = [...call.model.availabilityZones.values()].map(zoneJson);
  return listAnswer(call, zones, { plural: 'availability_zones', of: availabilityZone, order: ['name'] });
}

async function createProfile(call: Call): Promise<Answer> {
  const body = parseBody(zoneProfileCreate, call.body, PROFILE);
  const { id, generation } = await call.store.createAvailabilityZoneProfile({
    name: body.name,
    placement: requirePlacement(body.provider_name),
    hosts: hostsIn(body.availability_zone_data),
  });
  return { ...showProfile(call, id), status: 201, generation };
}

async function updateProfile(call: Call): Promise<Answer> {
  const { id } = requireAvailabilityZoneProfile(call.model, param(call, 'id'));
  const {
    name,
    provider_name: provider,
    availability_zone_data: json,
  } = parseBody(zoneProfileUpdate, call.body, PROFILE);
  const { generation } = await call.store.updateAvailabilityZoneProfile(id, {
    name,
    placement: provider === undefined ? undefined : requirePlacement(provider),
    hosts: json === undefined ? undefined : hostsIn(json),
  });
  return { ...showProfile(call, id), generation };
}

async function removeProfile(call: Call): Promise<Answer> {
  const { generation } = await call.store.deleteAvailabilityZoneProfile(param(call, 'id'));
  return { status: 204, generation };
}

async function createZone(call: Call): Promise<Answer> {
  const { availability_zone_profile_id: profile, ...body } = parseBody(zoneCreate, call.body, ZONE);
  const { id, generation } = await call.store.createAvailabilityZone({ ...body, profile });
  return { ...showZone(call, id), status: 201, generation };
}

async function updateZone(call: Call): Promise<Answer> {
  const { id } = requireAvailabilityZone(call.model, param(call, 'name'));
  const { generation } = await call.store.updateAvailabilityZone(id, parseBody(zoneUpdate, call.body, ZONE));
  return { ...showZone(call, id), generation };
}

async function removeZone(call: Call): Promise<Answer> {
  const { generation } = await call.store.deleteAvailabilityZone(param(call, 'name'));
  return { status: 204, generation };
}

const PROFILES = '/lbaas/availabilityzoneprofiles';
const ZONES = '/lbaas/availabilityzones';

export const availabilityZoneRoutes: readonly Route[] = [
  { method: 'GET', path: PROFILES, answer: listProfiles },
  { method: 'POST', path: PROFILES, answer: createProfile },
  { method: 'GET', path: `${PROFILES}/:id`, answer: (call) => showProfile(call, param(call, 'id')) },
  { method: 'PUT', path: `${PROFILES}/:id`, answer: updateProfile },
  { method: 'DELETE', path: `${PROFILES}/:id`, answer: removeProfile },
  { method: 'GET', path: ZONES, answer: listZones },
  { method: 'POST', path: ZONES, answer: createZone },
  { method: 'GET', path: `${ZONES}/:name`, answer: (call) => showZone(call, param(call, 'name')) },
  { method: 'PUT', path: `${ZONES}/:name`, answer: updateZone },
  { method: 'DELETE', path: `${ZONES}/:name`, answer: removeZone },
];
