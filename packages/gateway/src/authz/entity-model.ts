/**
 * What each word of `vocabulary.ts` is: its type, whether it is always there, and what it says. Cedar's schema
 * (`cedar-schema.ts`), the checks of policies and docs/reference/policy-model.md are made from this table, and entities are
 * built to it.
 */

import { CLASSIFICATIONS } from '../model/target.ts';
import type {
  ActionName,
  AnnotationName,
  ContextAttribute,
  EntityType,
  PrincipalAttribute,
  ResourceAttribute,
  WorkloadAttribute,
} from './vocabulary.ts';

/** A type of Cedar's, or `open`: a record whose keys and types nobody knows before the request. */
export type ValueType = 'String' | 'Bool' | 'Set<String>' | 'datetime' | 'open' | Exclude<EntityType, 'Action'>;

export type AttributeModel = {
  readonly type: ValueType;
  /** Not always there: a policy asks `has` first. */
  readonly optional?: true;
  /** All that it can be. */
  readonly values?: readonly string[];
  readonly says: string;
};

export type EntityModel = {
  /** What its attributes are, beside the name: a principal's, a resource's, or none. */
  readonly as: 'principal' | 'resource' | 'other';
  readonly in: readonly EntityType[];
  readonly id: string;
  readonly says: string;
};

export type ActionModel = { readonly on: readonly EntityType[]; readonly says: string };

export const ENTITY_MODEL: Readonly<Record<EntityType, EntityModel>> = {
  User: {
    as: 'principal',
    in: ['Group', 'Client', 'Tenant'],
    id: '`alice` for an API key, `<issuer>#<subject>` for a token',
    says: 'A person.',
  },
  Workload: {
    as: 'principal',
    in: ['Group', 'Client', 'Tenant'],
    id: '`spiffe://example.org/agent` for a certificate, else as for a user',
    says: 'A program that proved itself, alone as the principal or beside a user as `context.workload`.',
  },
  Group: { as: 'other', in: ['Tenant'], id: '`engineering`', says: 'What a key or a token says its owner is in.' },
  Client: {
    as: 'other',
    in: ['Tenant'],
    id: '`<issuer>#<client_id>`',
    says: 'The OAuth client that a token was issued to: verified, unlike `context.surface`.',
  },
  Tenant: { as: 'other', in: [], id: '`acme`', says: 'Who shares nothing with others.' },
  Gateway: {
    as: 'resource',
    in: [],
    id: '`sallyport`',
    says: 'The gateway itself, which administrative acts are about.',
  },
  Server: { as: 'resource', in: [], id: '`files`', says: 'A server, for what is about it as a whole.' },
  Tool: { as: 'resource', in: ['Server'], id: '`files/read_file`', says: 'A tool, by the server’s own name.' },
  Prompt: { as: 'resource', in: ['Server'], id: '`files/summary`', says: 'A prompt, by the server’s own name.' },
  Resource: {
    as: 'resource',
    in: ['Server'],
    id: '`files/file:///a.txt`',
    says: 'A resource by its URI, or a template by its URI template.',
  },
  Action: { as: 'other', in: [], id: '`callTool`', says: 'What is asked for.' },
  Unreadable: {
    as: 'other',
    in: [],
    id: 'the value as JSON',
    says: 'Stands for a value that Cedar cannot hold. Equal to nothing a policy writes; all else about it is an error.',
  },
};

export const PRINCIPAL_MODEL: Readonly<Record<PrincipalAttribute, AttributeModel>> = {
  name: { type: 'String', says: 'For people to read. Its owner may choose it: never a ground for a decision.' },
  subject: { type: 'String', says: 'The key’s name, the token’s `sub`, or the SPIFFE id.' },
  issuer: { type: 'String', says: 'The OAuth issuer, or `api-key`.' },
  tenant: { type: 'Tenant', says: 'Whose caller it is.' },
  scopes: { type: 'Set<String>', says: 'Of the token.' },
  client: { type: 'Client', optional: true, says: 'The OAuth client, where the token names one.' },
  credential: {
    type: 'String',
    values: ['api-key', 'jwt', 'mtls', 'mesh', 'browser'],
    says: 'How the caller proved itself.',
  },
  claims: { type: 'open', says: 'The claims of the token, as the issuer made them.' },
};

export const WORKLOAD_MODEL: Readonly<Record<WorkloadAttribute, AttributeModel>> = {
  id: { type: 'String', says: 'The SPIFFE id; without a certificate, the subject.' },
  trustDomain: { type: 'String', says: 'Of the SPIFFE id; empty without a certificate.' },
};

export const RESOURCE_MODEL: Readonly<Record<ResourceAttribute, AttributeModel>> = {
  name: { type: 'String', says: 'The server’s own name for it; a resource’s URI; a server’s id.' },
  server: { type: 'Server', says: 'The server that it is on; a server’s is itself.' },
  owner: { type: 'String', says: 'Of the server. Empty when the operator names none.' },
  environment: { type: 'String', says: 'Of the server: `production`. Empty when the operator names none.' },
  risk: { type: 'String', values: ['low', 'medium', 'high'], says: 'The operator’s word. Default: medium.' },
  readOnly: { type: 'Bool', says: 'The operator’s word. Default: false.' },
  idempotent: { type: 'Bool', says: 'The operator’s word. Default: false.' },
  tags: { type: 'Set<String>', says: 'The operator’s words, the server’s included.' },
  classification: {
    type: 'String',
    values: CLASSIFICATIONS,
    says: 'How sensitive what it handles is. Default: that of the server, else internal.',
  },
  uri: { type: 'String', says: 'Of a resource, or of a template. Empty on others.' },
  listed: { type: 'Bool', says: 'False for a resource that no list names.' },
  template: { type: 'Bool', says: 'True for a resource template.' },
};

export const CONTEXT_MODEL: Readonly<Record<ContextAttribute, AttributeModel>> = {
  arguments: { type: 'open', says: 'Everything that is sent, declared or not, typed by the tool’s schema.' },
  undeclared: { type: 'Set<String>', says: 'The top-level arguments that the schema does not declare.' },
  surface: {
    type: 'String',
    says: 'What the client calls itself; empty when it does not say. Claimed, not proved: for narrowing only.',
  },
  workload: {
    type: 'Workload',
    optional: true,
    says: 'The workload that proved itself on the connection, whoever the principal is.',
  },
  method: { type: 'String', says: 'Of `callMethod`: the method’s name. Empty for all else.' },
  now: { type: 'datetime', says: 'The time of the decision. What reads it is never remembered.' },
};

export const ACTION_MODEL: Readonly<Record<ActionName, ActionModel>> = {
  connect: { on: ['Server'], says: 'See the server, list what it offers, ping it, listen to it.' },
  callTool: { on: ['Tool'], says: 'See a tool and call it.' },
  getPrompt: { on: ['Prompt'], says: 'See a prompt, complete its arguments and get it.' },
  readResource: { on: ['Resource'], says: 'See a resource or a template and read it.' },
  callMethod: { on: ['Server'], says: 'A method that the gateway does not know.' },
  askAccess: { on: ['Gateway'], says: 'Ask beforehand what oneself may call. Built in: everyone may.' },
  askAccessOfOthers: { on: ['Gateway'], says: 'Ask what somebody else may call, and which policy says so.' },
  readApprovals: {
    on: ['Gateway'],
    says: 'Read the approvals that one asked for or may decide. Built in: everyone may.',
  },
  decideApproval: { on: ['Gateway'], says: 'Decide approvals that one is asked for. Built in: everyone may.' },
  readAudit: { on: ['Gateway'], says: 'Search and follow the record of one’s own tenant, without bodies.' },
  readAuditBodies: {
    on: ['Gateway'],
    says: 'Read what was sent and answered, where that is kept. Of one’s own tenant.',
  },
  readUsage: { on: ['Gateway'], says: 'Read what was used and what it saved, in one’s own tenant.' },
  readLive: { on: ['Gateway'], says: 'See who is calling what now, in one’s own tenant.' },
  readCredentials: {
    on: ['Gateway'],
    says: 'See what servers are called with: whose, how old, until when; never a value. Of one’s own tenant.',
  },
  readAllTenants: {
    on: ['Gateway'],
    says: 'Do with every tenant what one of these five allows with one’s own, and see what belongs to none.',
  },
  revokeCredentials: { on: ['Gateway'], says: 'End people’s log-ins for servers, in one’s own tenant.' },
};

export const ANNOTATION_MODEL: Readonly<Record<AnnotationName, string>> = {
  id: 'What decisions, records and messages call the policy. Default: the file’s name, with `[index]` when it holds several.',
  approval: 'On a permit: `caller` or `group:<name>` has to agree before the call leaves.',
  mode: '`observe`: decides nothing; where it would have changed the decision, log, record and a metric say so.',
  description: 'What a person who has to approve is told.',
};
