/** What a server says that it can tell of by itself, and what is asked of it accordingly. */

import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { SubscriptionFilter } from '../model/operation.ts';
import { LISTED_KINDS } from '../model/subscription.ts';
import type { Told } from './connector.ts';

export const NOTHING_TOLD: Told = { lists: false, uris: [] };

const says = (capabilities: JsonObject, name: string, flag: string): boolean => {
  const capability = capabilities[name];
  return isJsonObject(capability) && capability[flag] === true;
};

/** The part of a wish that the server declared; asking for more would only be refused. */
export const within = (wanted: Told, capabilities: JsonObject): Told => ({
  lists: wanted.lists && LISTED_KINDS.some((kind) => says(capabilities, kind, 'listChanged')),
  uris: says(capabilities, 'resources', 'subscribe') ? wanted.uris : [],
});

export const isNothing = ({ lists, uris }: Told): boolean => !lists && uris.length === 0;

/** As a listen request words it (MCP 2026-07-28, basic/utilities/subscriptions). */
export function filterFor({ lists, uris }: Told, capabilities: JsonObject): SubscriptionFilter {
  const asks = (kind: string): boolean => lists && says(capabilities, kind, 'listChanged');
  return {
    ...(asks('tools') ? { toolsListChanged: true } : {}),
    ...(asks('prompts') ? { promptsListChanged: true } : {}),
    ...(asks('resources') ? { resourcesListChanged: true } : {}),
    ...(uris.length === 0 ? {} : { resourceSubscriptions: uris }),
  };
}

/** What an acknowledgement comes to: no more than was asked for, whatever it says. */
export function toldBy(honoured: SubscriptionFilter, asked: Told): Told {
  const { toolsListChanged, promptsListChanged, resourcesListChanged, resourceSubscriptions = [] } = honoured;
  const agreed = new Set(resourceSubscriptions);
  return {
    lists: asked.lists && [toolsListChanged, promptsListChanged, resourcesListChanged].includes(true),
    uris: asked.uris.filter((uri) => agreed.has(uri)),
  };
}
