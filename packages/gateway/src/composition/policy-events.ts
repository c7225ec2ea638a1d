/** How the record tells that policies were swapped, or refused: which files, by what, from which version to which. */

import type { Config } from '../config/config.ts';
import type { ChangeEvent } from '../model/event.ts';

type InForce = { readonly config: Config; readonly version: string };

export type SwappedPolicies = {
  /** The configuration file. */
  readonly file: string;
  readonly by: string;
  readonly from: InForce;
  readonly to: InForce;
};

const MAX_FILES = 50;

export function policiesSwapped({ file, by, from, to }: SwappedPolicies): ChangeEvent {
  const files = changedSources(from.config, to.config);
  return {
    kind: 'change',
    operation: 'policies/swap',
    activity: 'update',
    entity: { type: 'policy', name: file, before: from.version, after: to.version },
    by,
    facts: {
      files: files.slice(0, MAX_FILES),
      ...(files.length > MAX_FILES && { more_files: files.length - MAX_FILES }),
    },
  };
}

export type RefusedPolicies = {
  readonly file: string;
  readonly by: string;
  /** Of the set that goes on deciding. */
  readonly version: string;
  readonly problems: readonly string[];
};

export const policiesRefused = ({ file, by, version, problems }: RefusedPolicies): ChangeEvent => ({
  kind: 'change',
  operation: 'policies/swap',
  activity: 'update',
  entity: { type: 'policy', name: file, before: version },
  by,
  refused: problems,
  facts: {},
});

/** Policy files that were added, removed or changed, and servers whose `allow` list was. */
function changedSources(before: Config, after: Config): readonly string[] {
  const [old, now] = [sourcesOf(before), sourcesOf(after)];
  return [...new Set([...old.keys(), ...now.keys()])].filter((name) => old.get(name) !== now.get(name));
}

const sourcesOf = ({ policies, servers }: Config): ReadonlyMap<string, string> =>
  new Map([
    ...policies.map(({ name, text }) => [name, text] as const),
    ...servers.map(({ id, allow }) => [`servers.${id}.allow`, JSON.stringify(allow)] as const),
  ]);
