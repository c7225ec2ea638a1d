/** The configuration of a sidecar: one server beside one application, written from what the command line says. */

import { stringify } from 'yaml';

export type SidecarSettings = {
  readonly listen: string;
  readonly operations: string;
  /** The id of the server, in URLs, policies and records. */
  readonly id: string;
  readonly server: { readonly command: readonly string[] } | { readonly url: string };
  /** Variables of the gateway's own environment that the server gets. */
  readonly variables: readonly string[];
  /** Patterns over tools, prompts and resources that the application may use. */
  readonly allow: readonly string[];
  /** Patterns over tools that change nothing. */
  readonly readOnly: readonly string[];
  readonly policies: readonly string[];
  readonly rate: string | undefined;
  /** `sha256:…` of the application's key. */
  readonly keyHash: string;
  /** Where the server runs: an absolute path. */
  readonly directory: string;
};

/** Who the application is to policies, limits and records. */
export const APPLICATION = 'application';

const HEADER =
  '# Written anew by "sallyport sidecar" each time it starts. To change more than its options can, copy this file and use\n' +
  '# "sallyport serve --config <copy>".\n\n';

/** `sallyport.yaml`, as a person would write it. */
export function sidecarConfig(settings: SidecarSettings): string {
  const { server, variables, allow, readOnly, rate, policies } = settings;
  const reached =
    'url' in server
      ? { url: server.url }
      : {
          command: [...server.command],
          cwd: settings.directory,
          env: Object.fromEntries(variables.map((name) => [name, `env:${name}`])),
        };
  const marked = Object.fromEntries(readOnly.map((pattern) => [pattern, { readOnly: true, risk: 'low' }]));
  const file = {
    listen: settings.listen,
    operations: settings.operations,
    keys: { file: './keys.json' },
    audit: { file: './audit.jsonl' },
    // Its one key stands below, and nothing of a sidecar outlives it but the record.
    storage: { url: 'memory:' },
    identity: { apiKeys: [{ name: APPLICATION, hash: settings.keyHash }] },
    servers: {
      [settings.id]: {
        ...reached,
        // One application is its only caller, so one process is enough.
        sharing: 'shared',
        tools: marked,
        allow: [{ user: APPLICATION, tools: [...allow], prompts: [...allow], resources: [...allow] }],
      },
    },
    policies: [...policies],
    ...(rate === undefined ? {} : { limits: [{ per: 'principal', rate }] }),
  };
  return HEADER + stringify(file, { lineWidth: 120 });
}
