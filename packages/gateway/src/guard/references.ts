/** Where a `$ref` points to, within the schema it stands in. Nothing is ever fetched. */

import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import { err, ok, type Result } from '../model/result.ts';
import { DEFINITIONS, KEYWORDS } from './keywords.ts';

/** One resource: the schema itself, or a part of it with an `$id` of its own (JSON Schema 2020-12, core 8.2.1). */
type Resource = { readonly root: JsonObject; readonly anchors: Map<string, JsonObject> };

export type Referenced = JsonObject | boolean;

export interface References {
  /** What the reference that stands in `schema` means; the error says why that cannot be used. */
  resolve(schema: JsonObject, reference: string): Result<Referenced, string>;
  /** Is there more than one resource? Then a dynamic reference depends on the way that led to it. */
  readonly embedded: boolean;
}

export function findReferences(root: JsonObject): References {
  const main: Resource = { root, anchors: new Map() };
  const byId = new Map<string, Resource>();
  const resourceOf = new Map<JsonObject, Resource>();

  const visit = (schema: Json | undefined, parent: Resource): void => {
    if (Array.isArray(schema)) {
      for (const member of schema) visit(member, parent);
      return;
    }
    if (!isJsonObject(schema) || resourceOf.has(schema)) return;
    const resource = enter(schema, parent);
    resourceOf.set(schema, resource);
    for (const [keyword, value] of Object.entries(schema)) {
      const kind = DEFINITIONS.includes(keyword) ? 'schema-map' : KEYWORDS.get(keyword);
      if (kind === 'schema-map' || kind === 'schema-or-names-map') {
        if (isJsonObject(value)) for (const member of Object.values(value)) visit(member, resource);
      } else if (kind === 'schema' || kind === 'schemas' || kind === 'schema-or-schemas') visit(value, resource);
    }
  };

  const enter = (schema: JsonObject, parent: Resource): Resource => {
    const { $id: id, $anchor: anchor, $dynamicAnchor: dynamic } = schema;
    let resource = parent;
    if (typeof id === 'string' && !id.startsWith('#')) {
      resource = schema === root ? main : { root: schema, anchors: new Map() };
      byId.set(id.replace(/#$/u, ''), resource);
    }
    // Drafts 6 and 7 write an anchor as `$id: "#name"`.
    const names = [anchor, dynamic, typeof id === 'string' && id.startsWith('#') ? id.slice(1) : undefined];
    for (const name of names) if (typeof name === 'string') resource.anchors.set(name, schema);
    return resource;
  };

  visit(root, main);
  return {
    get embedded() {
      return [...byId.values()].some((resource) => resource !== main);
    },
    resolve(schema, reference) {
      const [id = '', fragment = ''] = reference.split('#', 2);
      const resource = id === '' ? (resourceOf.get(schema) ?? main) : byId.get(id);
      if (resource === undefined) return err('it points outside of the schema, and nothing is fetched');
      const target = within(resource, fragment);
      if (target === undefined) return err('there is nothing where it points to');
      if (typeof target !== 'boolean') {
        if (!isJsonObject(target)) return err('there is no schema where it points to');
        // Reached by a pointer into something that is no keyword of ours: it belongs to whoever pointed.
        visit(target, resource);
      }
      return ok(target);
    },
  };
}

/** An empty fragment, an anchor, or a JSON Pointer (RFC 6901) in a URI fragment. */
function within(resource: Resource, fragment: string): Json | undefined {
  if (fragment === '') return resource.root;
  if (!fragment.startsWith('/')) return resource.anchors.get(fragment);
  let at: Json | undefined = resource.root;
  for (const step of fragment.slice(1).split('/')) {
    const name = unescaped(step);
    if (name === undefined || typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = Array.isArray(at) ? at[Number(name)] : isJsonObject(at) ? at[name] : undefined;
  }
  return at;
}

function unescaped(step: string): string | undefined {
  try {
    return decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return undefined;
  }
}
