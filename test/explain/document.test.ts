/** The documents of the pipeline show flows that the templates make today, and leave none out. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { recognise, templateWords } from '../../src/explain/templates.ts';
import { parseFlow } from '../../src/openflow/index.ts';
import { TABLES } from '../../src/pipeline/tables.ts';
import { packaged } from '../../src/util/paths.ts';
import { PIPELINE_DOCUMENT } from '../support/pipeline-document.ts';

/** Units of states that pass, and of what is not among the desired flows. */
const PASSING = /^(stray|sandbox_rest|fallback|lease|session[46])/;
const IPV6 = /6(?=\/|$)/;
const PORTS = { '"vm-c1"': 1 };

const flowsOf = (document: string) =>
  readFileSync(packaged(document), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('table='))
    .map((line) =>
      line.replace(/^table="(\w+)"/, 'table=$1').replaceAll('table="sandbox_reply"', 'table=sandbox_reply'),
    );

describe('documents of the pipeline', () => {
  for (const document of ['docs/pipeline.md', PIPELINE_DOCUMENT]) {
    it(`${document} shows flows as the templates make them`, () => {
      const flows = flowsOf(document);
      expect(flows).to.have.length.above(10);
      for (const line of flows) {
        const flow = parseFlow(line, { tables: TABLES, ports: PORTS });
        expect(recognise(flow), `no template makes ${line}`).to.not.equal(undefined);
      }
    });
  }

  it(`${PIPELINE_DOCUMENT} leaves no table and no template out, but for IPv6 that is as IPv4`, () => {
    const shown = new Set(
      flowsOf(PIPELINE_DOCUMENT).map((line) => recognise(parseFlow(line, { tables: TABLES }))?.template),
    );
    const all = [...templateWords()].filter(({ unit }) => !PASSING.test(unit));
    const units = new Set(all.map(({ unit, template }) => `${template.split(':')[0]} ${unit}`));
    const isTwin = (unit: string, file: string) => IPV6.test(unit) && units.has(`${file} ${unit.replace(IPV6, '4')}`);
    const missing = all.filter(({ unit, template }) => !shown.has(template) && !isTwin(unit, template.split(':')[0]!));
    expect(missing.map(({ template, unit }) => `${template} (${unit})`)).to.deep.equal([]);
  });

  it('docs/pipeline.md lists every table', () => {
    const text = readFileSync(packaged('docs/pipeline.md'), 'utf8');
    for (const [name, id] of Object.entries(TABLES)) expect(text).to.include(`| ${id} | \`${name}\` |`);
  });
});
