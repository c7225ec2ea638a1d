/** Settings of `secrets`: the stores that references lead to, beside `env:` and `file:`. Every description is read by operators. */

import * as z from 'zod';

import type { ReferenceConfig, SecretsConfig, StoreKind, ValueConfig } from './secrets-config.ts';
import { EXEC_NAME } from './references.ts';
import { duration, filePath, name, size, value, VARIABLE } from './schema-words.ts';

const IN_FILE = 'stands in the file. Write env:NAME, file:/path or exec:name.';

/** What opens a store cannot lie in that store, nor in another that is reached over the network. */
const opener = value.transform((written, context): ReferenceConfig => {
  if (written.kind === 'env' || written.kind === 'file' || written.kind === 'exec') return written;
  context.addIssue({
    code: 'custom',
    message: written.kind === 'literal' ? IN_FILE : 'opens a store, so it has to be env:NAME, file:/path or exec:name.',
  });
  return z.NEVER;
});

/** What a command is given to open its store may not need a store itself. */
const variable = value.refine(({ kind }) => kind === 'literal' || kind === 'env' || kind === 'file', {
  message: 'is handed to a command that opens a store, so it has to be env:NAME or file:/path.',
});

const cached = {
  cache: duration.prefault('30s').describe('How long a value is used before it is looked at again.'),
  keep: duration
    .prefault('1h')
    .describe('How long a value that has no end of its own serves while the store cannot be reached.'),
  timeout: duration.prefault('5s').describe('For one answer of the store.'),
};

const mount = (method: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*$/)
    .default(method)
    .describe('Where the method is mounted, without `auth/`.');

const byJwt = { role: name.describe('The role to log in as.') };

const auth = z
  .discriminatedUnion('method', [
    z.strictObject({
      method: z.literal('token'),
      token: opener.describe('A token, as env:NAME or file:/path. It is renewed where it can be.'),
    }),
    z.strictObject({
      method: z.literal('approle'),
      mount: mount('approle'),
      roleId: value.describe('The id of the role; no secret.'),
      secretId: opener.optional().describe('Its secret id, as env:NAME or file:/path.'),
    }),
    z.strictObject({
      method: z.literal('kubernetes'),
      mount: mount('kubernetes'),
      ...byJwt,
      jwt: opener
        .prefault('file:/var/run/secrets/kubernetes.io/serviceaccount/token')
        .describe("The service account's token."),
    }),
    z.strictObject({
      method: z.literal('jwt'),
      mount: mount('jwt'),
      ...byJwt,
      jwt: opener.describe('The token to log in with, as env:NAME or file:/path.'),
    }),
  ])
  .describe(
    'How the gateway proves who it is. `method`: token (with `token`), approle (`roleId`, `secretId`), kubernetes or jwt ' +
      '(`role`, `jwt`); `mount` where the method is mounted under another name.',
  );

const vault = z
  .strictObject({
    address: z.url({ protocol: /^https?$/ }).describe('For example https://vault.example.com:8200.'),
    namespace: name.optional().describe('Sent with every request.'),
    ca: filePath.optional().describe("Authorities that vouch for it, as PEM, beside the system's."),
    auth,
    ...cached,
  })
  .describe('HashiCorp Vault or OpenBao, for references such as vault:secret/data/path#field.');

const exec = z
  .strictObject({
    command: z
      .array(z.string().min(1))
      .min(1)
      .describe('The program and its arguments. No shell. `{}` is what stands behind the name in the reference.'),
    env: z
      .record(z.string().regex(VARIABLE), variable)
      .default({})
      .describe('Its environment, beside PATH and HOME. Secrets as env:NAME or file:/path.'),
    ...cached,
    cache: duration.prefault('5m').describe('How long its output is used before it is run again.'),
    timeout: duration.prefault('10s').describe('Then it is ended.'),
    maxOutput: size.prefault('64KiB').describe('More than this is not a secret but a mistake.'),
  })
  .describe('A command that prints a secret.');

const aws = z
  .strictObject({
    region: z
      .string()
      .regex(/^[a-z]{2}(?:-[a-z]+)+-\d$/)
      .describe('For example eu-central-1.'),
    endpoint: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('Another than that of the region: a VPC endpoint.'),
    accessKeyId: opener.prefault('env:AWS_ACCESS_KEY_ID').describe('As env:NAME, file:/path or exec:name.'),
    secretAccessKey: opener.prefault('env:AWS_SECRET_ACCESS_KEY').describe('As env:NAME, file:/path or exec:name.'),
    sessionToken: opener.optional().describe('Of temporary keys, as env:NAME, file:/path or exec:name.'),
    ...cached,
    cache: duration
      .prefault('5m')
      .describe('How long a value is used before it is looked at again: AWS counts requests.'),
  })
  .describe('AWS Secrets Manager, for references such as aws-sm:name#field.');

export const secretsSchema = z
  .strictObject({
    vault: vault.optional(),
    exec: z
      .record(z.string().regex(EXEC_NAME), exec)
      .default({})
      .describe('Commands, for references such as exec:name/argument.'),
    'aws-sm': aws.optional(),
  })
  .prefault({})
  .describe('Stores of secrets, beside the environment and files. docs/credentials.md has a recipe for each.');

type Parsed = z.output<typeof secretsSchema>;

/** @param located A reference with its path made absolute. */
export function compileSecrets(
  secrets: Parsed,
  absolute: (file: string) => string,
  located: <V extends ValueConfig>(value: V) => V,
): SecretsConfig {
  return {
    exec: Object.fromEntries(
      Object.entries(secrets.exec).map(([id, { command, env, maxOutput, ...times }]) => [
        id,
        {
          command,
          env: Object.fromEntries(Object.entries(env).map(([key, one]) => [key, located(one)])),
          maxOutputBytes: maxOutput,
          ...compileCache(times),
        },
      ]),
    ),
    ...(secrets.vault === undefined ? {} : { vault: compileVault(secrets.vault, absolute, located) }),
    ...(secrets['aws-sm'] === undefined ? {} : { 'aws-sm': compileAws(secrets['aws-sm'], located) }),
  };
}

const compileCache = ({ cache, keep, timeout }: { cache: number; keep: number; timeout: number }) => ({
  cacheMs: cache,
  keepMs: Math.max(cache, keep),
  timeoutMs: timeout,
});

type Located = <V extends ValueConfig>(value: V) => V;

function compileVault(
  { address, namespace, ca, auth: how, ...times }: NonNullable<Parsed['vault']>,
  absolute: (file: string) => string,
  located: Located,
): NonNullable<SecretsConfig['vault']> {
  return {
    address: address.replace(/\/+$/, ''),
    ...(namespace === undefined ? {} : { namespace }),
    ...(ca === undefined ? {} : { caFile: absolute(ca) }),
    auth: compileAuth(how, located),
    ...compileCache(times),
  };
}

function compileAuth(
  how: NonNullable<Parsed['vault']>['auth'],
  located: Located,
): NonNullable<SecretsConfig['vault']>['auth'] {
  switch (how.method) {
    case 'token':
      return { method: 'token', token: located(how.token) };
    case 'approle': {
      const { secretId, ...rest } = how;
      return {
        ...rest,
        roleId: located(how.roleId),
        ...(secretId === undefined ? {} : { secretId: located(secretId) }),
      };
    }
    default:
      return { ...how, jwt: located(how.jwt) };
  }
}

function compileAws(
  { region, endpoint, accessKeyId, secretAccessKey, sessionToken, ...times }: NonNullable<Parsed['aws-sm']>,
  located: Located,
): NonNullable<SecretsConfig['aws-sm']> {
  return {
    region,
    ...(endpoint === undefined ? {} : { endpoint: endpoint.replace(/\/+$/, '') }),
    accessKeyId: located(accessKeyId),
    secretAccessKey: located(secretAccessKey),
    ...(sessionToken === undefined ? {} : { sessionToken: located(sessionToken) }),
    ...compileCache(times),
  };
}

/** Which of the stores that a reference can name are configured. */
export const configuredStores = (
  secrets: Parsed | undefined,
): { readonly kinds: ReadonlySet<StoreKind>; readonly commands: readonly string[] } => {
  const commands = Object.keys(secrets?.exec ?? {});
  const kinds = new Set<StoreKind>(commands.length === 0 ? [] : ['exec']);
  if (secrets?.vault !== undefined) kinds.add('vault');
  if (secrets?.['aws-sm'] !== undefined) kinds.add('aws-sm');
  return { kinds, commands };
};
