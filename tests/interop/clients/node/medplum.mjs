// Medplum's MedplumClient, of a server that is not Medplum.

import { MedplumClient, OperationOutcomeError } from '@medplum/core';
import { Refused, base, run } from './wire.mjs';

const { origin, pathname } = new URL(base);
let client;

function connected(more) {
  return new MedplumClient({ baseUrl: origin, fhirUrlPath: pathname.slice(1), maxRetries: 0, ...more });
}

function step(method) {
  return async (asked) => {
    try {
      return await method(asked);
    } catch (error) {
      // Of the status it keeps nothing but what the outcome says.
      if (error instanceof OperationOutcomeError) throw new Refused(null, error.outcome);
      throw error;
    }
  };
}

async function all(type, params) {
  const found = [];
  for await (const page of client.searchResourcePages(type, params)) found.push(...page);
  return found;
}

const steps = {
  connect: ({ token }) => {
    client = connected(token ? { accessToken: token } : {});
  },
  login: async ({ assertion, token_url: tokenUrl }) => {
    client = connected({ tokenUrl });
    await client.startJwtAssertionLogin(assertion);
  },
  metadata: () => client.get(client.fhirUrl('metadata')),
  create: ({ resource }) => client.createResource(resource),
  create_if_none: ({ resource, criteria }) =>
    client.createResourceIfNoneExist(resource, new URLSearchParams(criteria).toString()),
  read: ({ type, id }) => client.readResource(type, id, { cache: 'reload' }),
  vread: ({ type, id, version }) => client.readVersion(type, id, version),
  update: ({ resource }) => client.updateResource(resource),
  update_version: ({ resource, version }) =>
    client.updateResource(resource, { headers: { 'If-Match': `W/"${version}"` } }),
  update_if: ({ resource, criteria }) => client.upsertResource(resource, new URLSearchParams(criteria)),
  patch: ({ type, id, operations }) => client.patchResource(type, id, operations),
  delete: ({ type, id }) => client.deleteResource(type, id),
  search: ({ type, params }) => all(type, new URLSearchParams(params)),
  search_with: async ({ type, params }) => {
    const bundle = await client.search(type, new URLSearchParams(params));
    return bundle.entry.map((entry) => entry.resource);
  },
  history: ({ type, id }) => client.readHistory(type, id),
  bundle: ({ bundle }) => client.executeBatch(bundle),
  validate: async ({ resource }) => {
    const said = await client.validateResource(resource);
    return !said.issue.some(({ severity }) => severity === 'error' || severity === 'fatal');
  },
};

await run(Object.fromEntries(Object.entries(steps).map(([name, method]) => [name, step(method)])));
