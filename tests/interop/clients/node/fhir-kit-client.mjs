// fhir-kit-client's Client.

import { Client } from 'fhir-kit-client';
import { Refused, base, run } from './wire.mjs';

let client;

function step(method) {
  return async (asked) => {
    try {
      return await method(asked);
    } catch (error) {
      if (error.response?.status) throw new Refused(error.response.status, error.response.data);
      throw error;
    }
  };
}

async function all(resourceType, searchParams, options) {
  const found = [];
  let bundle = await client.search({ resourceType, searchParams, options });
  while (bundle) {
    found.push(...(bundle.entry ?? []).map((entry) => entry.resource));
    bundle = await client.nextPage({ bundle });
  }
  return found;
}

const steps = {
  connect: ({ token }) => {
    client = new Client({ baseUrl: base, ...(token ? { bearerToken: token } : {}) });
  },
  token_url: async () => String((await client.smartAuthMetadata()).tokenUrl),
  metadata: () => client.capabilityStatement(),
  create: ({ resource }) => client.create({ resourceType: resource.resourceType, body: resource }),
  create_if_none: ({ resource, criteria }) =>
    client.create({
      resourceType: resource.resourceType,
      body: resource,
      options: { headers: { 'If-None-Exist': new URLSearchParams(criteria).toString() } },
    }),
  read: ({ type, id }) => client.read({ resourceType: type, id }),
  vread: ({ type, id, version }) => client.vread({ resourceType: type, id, version }),
  update: ({ resource }) =>
    client.update({ resourceType: resource.resourceType, id: resource.id, body: resource }),
  update_version: ({ resource, version }) =>
    client.update({
      resourceType: resource.resourceType,
      id: resource.id,
      body: resource,
      options: { headers: { 'If-Match': `W/"${version}"` } },
    }),
  update_if: ({ resource, criteria }) =>
    client.update({ resourceType: resource.resourceType, searchParams: criteria, body: resource }),
  patch: ({ type, id, operations }) => client.patch({ resourceType: type, id, jsonPatch: operations }),
  delete: ({ type, id }) => client.delete({ resourceType: type, id }),
  search: ({ type, params }) => all(type, params),
  search_by_post: ({ type, params }) => all(type, params, { postSearch: true }),
  search_with: ({ type, params }) => all(type, params),
  history: ({ type, id }) => client.history({ resourceType: type, id }),
  bundle: ({ bundle }) => client[bundle.type]({ body: bundle }),
  validate: async ({ resource }) => {
    const input = resource;
    const said = await client.operation({ name: 'validate', resourceType: resource.resourceType, input });
    return !said.issue.some(({ severity }) => severity === 'error' || severity === 'fatal');
  },
};

await run(Object.fromEntries(Object.entries(steps).map(([name, method]) => [name, step(method)])));
