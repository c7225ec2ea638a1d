/** Settings of `servers.<id>.auth`: as whom a server is called. Every description is read by operators. */

import * as z from 'zod';

import type { AuthConfig, OAuthClientConfig, PersonSecretsConfig } from './auth-config.ts';
import type { ValueConfig } from './secrets-config.ts';
import { templateProblem, wordsOf } from './person-template.ts';
import { HEADER_NAME, name, scope, value, VARIABLE } from './schema-words.ts';

const reference = value.refine(({ kind }) => kind !== 'literal', {
  message: 'stands in the file. Write env:NAME or file:/path/to/it.',
});

const webUrl = z.url({ protocol: /^https?$/ });

/** How the gateway is known to an authorization server, and which one that is. */
const client = {
  issuer: webUrl
    .optional()
    .describe(
      'The authorization server, as it names itself. Default: the one that the server names. Also says that it may stand on a private network.',
    ),
  clientId: name.optional().describe('The client that the gateway is registered as there.'),
  clientSecret: reference.optional().describe('Its secret, as env:NAME or file:/path.'),
  privateKey: reference
    .optional()
    .describe(
      'Instead of a secret: its private key as PKCS#8 PEM, as file:/path. It signs who we are (private_key_jwt).',
    ),
  keyId: name.optional().describe('`kid` of the private key, where the authorization server wants one.'),
  scopes: z.array(scope).default([]).describe('Scopes to ask for. Default: those that the server wants.'),
  resource: webUrl
    .optional()
    .describe('What tokens are asked for (RFC 8707). Default: what the server calls itself, or its url.'),
  trustedOrigins: z
    .array(webUrl)
    .default([])
    .describe('Origins of the authorization server that may be reached though they are private or without https.'),
};

type ClientWords = { readonly [name in 'clientId' | 'clientSecret' | 'privateKey' | 'keyId']?: unknown };

function checkClient(written: ClientWords, context: z.RefinementCtx, needsProof: boolean): void {
  const problem = (message: string, path: string[] = []): void => context.addIssue({ code: 'custom', message, path });
  const { clientId, clientSecret, privateKey, keyId } = written;
  if (clientSecret !== undefined && privateKey !== undefined) {
    problem('has a clientSecret and a privateKey. Keep one of them.');
  }
  if (clientId === undefined && (clientSecret !== undefined || privateKey !== undefined)) {
    problem('needs the clientId that the secret or key belongs to.', ['clientId']);
  }
  if (keyId !== undefined && privateKey === undefined) problem('belongs to a privateKey.', ['keyId']);
  if (!needsProof) return;
  if (clientId === undefined) problem('needs a clientId: nobody else can say who the gateway is.', ['clientId']);
  if (clientSecret === undefined && privateKey === undefined) problem('needs a clientSecret or a privateKey.');
}

const none = z.strictObject({ type: z.literal('none') }).describe('Without a credential: as when `auth` is not there.');

const oauth = z
  .strictObject({ type: z.literal('oauth'), ...client })
  .superRefine((written, context) => checkClient(written, context, false))
  .describe(
    'As each person, who consents once in the browser (OAuth). Without a clientId the gateway names its own metadata document, or registers itself, as the authorization server offers.',
  );

const clientCredentials = z
  .strictObject({ type: z.literal('client-credentials'), ...client })
  .superRefine((written, context) => checkClient(written, context, true))
  .describe('As the gateway itself, the same for everyone, with a token that it asks for (RFC 6749, 4.4).');

const tokenExchange = z
  .strictObject({
    type: z.literal('token-exchange'),
    ...client,
    issuer: webUrl.describe(
      'Who issued the tokens of callers and issues those of the server, as it names itself. It may stand on a private network.',
    ),
    audience: name.optional().describe('How it calls the server, where it does not go by `resource`.'),
  })
  .superRefine((written, context) => checkClient(written, context, true))
  .describe(
    "As each person, with a token that the issuer gives in exchange for the caller's (RFC 8693). The caller's goes to that issuer alone.",
  );

const template = z.string().superRefine((text, context) => {
  const message = templateProblem(text);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

const principal = z
  .strictObject({
    type: z.literal('principal'),
    headers: z
      .record(z.string().regex(HEADER_NAME), template)
      .default({})
      .describe(
        'Of a url: references with {user} or {subject} in them, and {tenant} where there are several: "Bearer file:/secrets/{user}/token".',
      ),
    env: z.record(z.string().regex(VARIABLE), template).default({}).describe('The same, of a command.'),
    issuer: z
      .union([z.literal('api-key'), z.url()])
      .optional()
      .describe('Only for people of this issuer, or with API keys (`api-key`). {subject} needs it.'),
    lists: z
      .strictObject({
        headers: z.record(z.string().regex(HEADER_NAME), reference).default({}).describe('Of a url.'),
        env: z.record(z.string().regex(VARIABLE), reference).default({}).describe('Of a command.'),
      })
      .prefault({})
      .describe("What the gateway itself reads the server's lists with. Default: what is beside `auth` alone."),
  })
  .superRefine(({ headers, env, issuer }, context) => {
    const all = [...Object.values(headers), ...Object.values(env)];
    const problem = (message: string): void => context.addIssue({ code: 'custom', message });
    if (all.length === 0) problem('needs headers, or env for a command: where the secret of each person is.');
    if (issuer === undefined && all.some((text) => wordsOf(text).has('subject'))) {
      problem('needs the issuer that {subject} is a subject of: another issuer has other people of that name.');
    }
  })
  .describe('As each person, with a secret that you keep for them in a place of their own.');

export const authSchema = z
  .discriminatedUnion('type', [none, oauth, clientCredentials, principal, tokenExchange])
  .describe('As whom it is called.');

type Parsed = z.output<typeof authSchema>;

/** @param located A reference with its path made absolute. */
export function compileAuth(
  auth: Parsed,
  located: (value: ValueConfig) => ValueConfig,
): AuthConfig<ValueConfig> | undefined {
  switch (auth.type) {
    case 'none':
      return undefined;
    case 'oauth':
    case 'client-credentials':
      return { type: auth.type, ...compileClient(auth, located) };
    case 'token-exchange': {
      const { audience } = auth;
      return {
        type: auth.type,
        ...compileClient(auth, located),
        ...(audience === undefined ? {} : { audience }),
      };
    }
    case 'principal':
      return compilePersonSecrets(auth, located);
    default:
      return auth satisfies never;
  }
}

function compilePersonSecrets(
  { type, headers, env, issuer, lists }: Extract<Parsed, { type: 'principal' }>,
  located: (value: ValueConfig) => ValueConfig,
): PersonSecretsConfig<ValueConfig> {
  const all = (values: Readonly<Record<string, ValueConfig>>): Readonly<Record<string, ValueConfig>> =>
    Object.fromEntries(Object.entries(values).map(([of, written]) => [of, located(written)]));
  return {
    type,
    headers,
    env,
    ...(issuer === undefined ? {} : { issuer }),
    lists: { headers: all(lists.headers), env: all(lists.env) },
  };
}

type ParsedClient = Extract<Parsed, { type: 'oauth' }>;

function compileClient(
  written: Omit<ParsedClient, 'type'>,
  located: (value: ValueConfig) => ValueConfig,
): OAuthClientConfig<ValueConfig> {
  const { issuer, clientId, clientSecret, privateKey, keyId, scopes, resource, trustedOrigins } = written;
  return {
    scopes,
    trustedOrigins: [...trustedOrigins, ...(issuer === undefined ? [] : [issuer])].map((url) => new URL(url).origin),
    ...(issuer === undefined ? {} : { issuer }),
    ...(resource === undefined ? {} : { resource }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(clientSecret === undefined ? {} : { clientSecret: located(clientSecret) }),
    ...(privateKey === undefined ? {} : { privateKey: { pem: located(privateKey), keyId } }),
  };
}
