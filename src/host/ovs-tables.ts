/** The part of a host's Open_vSwitch database that hostlb reads and writes (ovs-vswitchd.conf.db(5)). */
import { integer, mapOf, optional, type Row, setOf, string, table, uuid } from '../ovsdb/index.ts';

export const OVS_TABLES = {
  Open_vSwitch: table('Open_vSwitch', { ovs_version: optional(string) }),
  Bridge: table('Bridge', {
    name: string,
    ports: setOf(uuid),
    controller: setOf(uuid),
    protocols: setOf(string),
    fail_mode: optional(string),
    flow_tables: mapOf(integer, uuid),
  }),
  Port: table('Port', { name: string, interfaces: setOf(uuid), tag: optional(integer) }),
  Interface: table('Interface', {
    name: string,
    type: string,
    ofport: optional(integer),
    link_state: optional(string),
    error: optional(string),
    external_ids: mapOf(string, string),
  }),
  Controller: table('Controller', {
    target: string,
    external_ids: mapOf(string, string),
    controller_rate_limit: optional(integer),
    controller_burst_limit: optional(integer),
  }),
  Flow_Table: table('Flow_Table', { name: optional(string), external_ids: mapOf(string, string) }),
} as const;

export type OvsTables = typeof OVS_TABLES;
export type BridgeRow = Row<OvsTables['Bridge']>;
export type PortRow = Row<OvsTables['Port']>;
export type ControllerRow = Row<OvsTables['Controller']>;
export type InterfaceRow = Row<OvsTables['Interface']>;
