/** The templates of the pipeline, with variables to fill them in. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FlowTemplate, parseTemplates, type Variables } from '../../../src/openflow/index.ts';

const folder = join(import.meta.dirname, '../../../flows');

/** Numbers of tables by the names of the files in flows/. */
const files = readdirSync(folder)
  .filter((file) => file.endsWith('.flows'))
  .sort();
const nameOf = (file: string) => file.replace(/^\d+-|\.flows$/g, '').replaceAll('-', '_');
const tables = Object.fromEntries(files.map((file, i) => [nameOf(file), i]));

const V4: Variables = {
  vip: '10.0.0.100',
  address: '10.0.0.21',
  source: '10.0.0.240',
  cidr: '10.0.0.0/25',
  client: '10.0.0.11',
};
const V6: Variables = {
  vip: 'fd00::100',
  address: 'fd00::21',
  source: 'fd00::240',
  cidr: 'fd00::/72',
  client: 'fd00::11',
};

/** A value for the variable: of the family that the unit's name ends in, and different for each unit. */
function sample(variable: string, { unit, line }: FlowTemplate): string | number {
  const address = (/6(\/\w+)?$/.test(unit) ? V6 : V4)[variable];
  if (address !== undefined) return address;
  if (variable === 'meter') return 1;
  if (/(^|_)mac$/.test(variable)) return `02:00:00:00:${line.toString(16).padStart(2, '0')}:01`;
  return 1 + line;
}

/** Every template of flows/ and sample values for its variables. */
export function sampleTemplates(): { readonly template: FlowTemplate; readonly variables: Variables }[] {
  return files.flatMap((file) =>
    parseTemplates(readFileSync(join(folder, file), 'utf8'), { file: `flows/${file}`, tables }).map((template) => ({
      template,
      variables: Object.fromEntries(template.variables.map((name) => [name, sample(name, template)])),
    })),
  );
}
