/** Checks of single values. All throw ModelError('invalid') in Octavia's words, naming the attribute and the value. */
import { canonicalAddress, isAddress } from '../addresses.ts';
import { ModelError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Placement, Tags } from '../types.ts';

const NOT_TEXT = /[\p{Cc}\p{Surrogate}]/u;

/** What the check makes of a value that was given; else `base`. */
export function given<T, U>(value: T | undefined, base: U, check: (value: T) => U): U {
  return value === undefined ? base : check(value);
}

/** The error for a value that its attribute cannot have. */
export function invalidField(field: string, value: unknown, problem: string): ModelError {
  const shown = String(value);
  const quoted = shown.length > 80 ? `${shown.slice(0, 80)}…` : shown;
  return new ModelError('invalid', `Invalid input for field/attribute ${field}. Value: '${quoted}'. ${problem}`);
}

/** Text of at most 255 characters without control characters; absent = empty. */
export function text(field: string, value: string | null | undefined): string {
  const given = value ?? '';
  if (typeof given !== 'string') throw invalidField(field, given, 'Value should be text');
  if (given.length > LIMITS.textLength) {
    throw invalidField(field, given, `Value should have a maximum character requirement of ${LIMITS.textLength}`);
  }
  if (NOT_TEXT.test(given)) throw invalidField(field, given, 'Value should have no control characters');
  return given;
}

/** As `text`, and not empty. */
export function requiredText(field: string, value: string): string {
  const given = text(field, value);
  if (given === '') throw invalidField(field, given, 'Mandatory field missing.');
  return given;
}

const MACHINE_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/;

/** What a machine may call itself. */
export function machineName(field: string, value: string): string {
  if (typeof value === 'string' && MACHINE_NAME.test(value)) return value;
  throw invalidField(field, value, 'Value should be 1 to 63 letters, digits, dots or hyphens');
}

/** A whole number within bounds, both included. */
export function integer(field: string, value: number, bounds: { readonly min: number; readonly max: number }): number {
  if (!Number.isInteger(value)) throw invalidField(field, value, 'Value should be an integer');
  if (value < bounds.min) throw invalidField(field, value, `Value should be greater or equal to ${bounds.min}`);
  if (value > bounds.max) throw invalidField(field, value, `Value should be lower or equal to ${bounds.max}`);
  return value;
}

/** A TCP port, 1 to 65535. */
export function transportPort(field: string, value: number): number {
  return integer(field, value, { min: 1, max: 65535 });
}

/** One of a fixed list. */
export function oneOf<T extends string>(field: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw invalidField(field, value, `Value should be one of: ${allowed.join(', ')}`);
  return found;
}

/** An IPv4 or IPv6 address, as canonical text. */
export function address(field: string, value: string): string {
  if (typeof value !== 'string' || !isAddress(value)) {
    throw invalidField(field, value, 'Value should be IPv4 or IPv6 format');
  }
  return canonicalAddress(value);
}

/** A flag; absent = the default. */
export function flag(field: string, value: boolean | null | undefined, byDefault: boolean): boolean {
  const given = value ?? byDefault;
  if (typeof given !== 'boolean') throw invalidField(field, given, 'Value should be a boolean');
  return given;
}

/** Tags, sorted, each once. */
export function tags(values: readonly string[]): Tags {
  bounded(values.length, LIMITS.tagsPerObject, 'tags of an object');
  return [...new Set(values.map((value) => requiredText('tags', value)))].sort();
}

/** CPUs: more than 0, and whole where they cannot be shared. */
export function vcpus(value: number, options: { readonly whole: boolean }): number {
  if (typeof value !== 'number' || !(value >= LIMITS.minVcpus)) {
    throw invalidField('vcpus', value, `Value should be greater or equal to ${LIMITS.minVcpus}`);
  }
  if (value > LIMITS.maxVcpus)
    throw invalidField('vcpus', value, `Value should be lower or equal to ${LIMITS.maxVcpus}`);
  if (options.whole && !Number.isInteger(value)) {
    throw invalidField('vcpus', value, 'A virtual machine has a whole number of CPUs');
  }
  return Math.round(value * 1000) / 1000;
}

/** Memory in MiB. */
export function memoryMib(value: number): number {
  return integer('memory_mib', value, { min: LIMITS.minMemoryMib, max: LIMITS.maxMemoryMib });
}

const IMAGE_REFERENCE = /^[A-Za-z0-9][A-Za-z0-9._/:@-]*$/;
const FILE = /^\/[^\p{Cc}]+$/u;

/** Where a container (an image reference) or a VM (an absolute path) comes from; a namespace has no image. */
export function image(value: string, kind: Placement): string {
  const name = requiredText('image', value);
  if (kind === 'vm') return filePath('image', name);
  if (kind !== 'container') throw invalidField('image', name, `A ${kind} has no image; container and vm have one`);
  if (!IMAGE_REFERENCE.test(name)) throw invalidField('image', name, 'Value should be an image reference');
  return name;
}

/** An absolute path. */
export function filePath(field: string, value: string): string {
  const path = requiredText(field, value);
  if (!FILE.test(path)) throw invalidField(field, path, 'Value should be an absolute path');
  return path;
}

/** Throws ModelError('conflict') when there would be more than the limit. */
export function bounded(count: number, limit: number, what: string): void {
  if (count > limit) throw new ModelError('conflict', `${what}: ${count} are more than the limit of ${limit}`);
}

/** Throws ModelError('conflict') when another of the objects has the name. */
export function requireFreeName(
  objects: ReadonlyMap<string, { readonly id: string; readonly name: string }>,
  wanted: { readonly kind: string; readonly name: string; readonly self?: string | undefined },
): void {
  for (const { id, name } of objects.values()) {
    if (name === wanted.name && id !== wanted.self) {
      throw new ModelError('conflict', `A ${wanted.kind} of ${name} already exists.`);
    }
  }
}
