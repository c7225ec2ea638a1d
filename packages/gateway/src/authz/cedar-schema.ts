/** Cedar's schema, from the table of the entity model. What is `open` is not in it: `policy-types.ts` says why that is sound. */

import type { SchemaJson, TypeOfAttribute } from '@cedar-policy/cedar-wasm/nodejs';
import {
  ACTION_MODEL,
  CONTEXT_MODEL,
  ENTITY_MODEL,
  PRINCIPAL_MODEL,
  RESOURCE_MODEL,
  WORKLOAD_MODEL,
  type AttributeModel,
  type ValueType,
} from './entity-model.ts';
import { ACTIONS, ENTITY_TYPES, type EntityType } from './vocabulary.ts';

type Attributes = Readonly<Record<string, AttributeModel>>;

const ATTRIBUTES_AS = { principal: PRINCIPAL_MODEL, resource: RESOURCE_MODEL, other: {} } as const;

const attributesOf = (type: EntityType): Attributes => ({
  ...ATTRIBUTES_AS[ENTITY_MODEL[type].as],
  ...(type === 'Workload' ? WORKLOAD_MODEL : {}),
});

const typesAs = (as: 'principal' | 'resource'): EntityType[] =>
  ENTITY_TYPES.filter((type) => ENTITY_MODEL[type].as === as);

/** @param extra More attributes of `context`, each a Boolean. */
export function cedarSchema(extra: readonly string[]): SchemaJson<string> {
  const context: Record<string, TypeOfAttribute<string>> = recordOf(CONTEXT_MODEL);
  for (const name of extra) context[name] = { type: 'Boolean', required: true };
  const entityTypes = ENTITY_TYPES.filter((type) => type !== 'Action').map((type) => [
    type,
    {
      memberOfTypes: [...ENTITY_MODEL[type].in],
      shape: { type: 'Record' as const, attributes: recordOf(attributesOf(type)) },
    },
  ]);
  const actions = ACTIONS.map((name) => [
    name,
    {
      appliesTo: {
        principalTypes: typesAs('principal'),
        resourceTypes: [...ACTION_MODEL[name].on],
        context: { type: 'Record' as const, attributes: context },
      },
    },
  ]);
  return { '': { entityTypes: Object.fromEntries(entityTypes), actions: Object.fromEntries(actions) } };
}

function recordOf(attributes: Attributes): Record<string, TypeOfAttribute<string>> {
  const record: Record<string, TypeOfAttribute<string>> = {};
  for (const [name, { type, optional }] of Object.entries(attributes)) {
    const known = typeOf(type);
    if (known !== undefined) record[name] = { ...known, required: optional !== true };
  }
  return record;
}

function typeOf(type: ValueType): TypeOfAttribute<string> | undefined {
  switch (type) {
    case 'open':
      return undefined;
    case 'String':
      return { type: 'String' };
    case 'Bool':
      return { type: 'Boolean' };
    case 'Set<String>':
      return { type: 'Set', element: { type: 'String' } };
    case 'datetime':
      return { type: 'Extension', name: 'datetime' };
    default:
      return { type: 'Entity', name: type };
  }
}
