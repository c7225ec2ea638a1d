/**
 * The words a policy may use: entity types, their attributes, actions and what `context` holds. `entity-model.ts` says of
 * each what it is, and does not compile until it says so of all; checks at load time, entities, Cedar's schema and the page
 * in docs/reference are made from these two.
 */

import type { EntryKind } from '../model/target.ts';

export const ENTITY_TYPES = [
  'User',
  'Workload',
  'Group',
  'Client',
  'Tenant',
  'Gateway',
  'Server',
  'Tool',
  'Prompt',
  'Resource',
  'Action',
  'Unreadable',
] as const;

export type EntityType = (typeof ENTITY_TYPES)[number];

export const ACTIONS = [
  'connect',
  'callTool',
  'getPrompt',
  'readResource',
  'callMethod',
  // Administrative acts. Their resource is Gateway::"sallyport".
  'askAccess',
  'askAccessOfOthers',
  'readApprovals',
  'decideApproval',
  'readAudit',
  'readAuditBodies',
  'readUsage',
  'readLive',
  'readCredentials',
  'readAllTenants',
  'revokeCredentials',
] as const;

export type ActionName = (typeof ACTIONS)[number];

/** What `User` and `Workload` carry. */
export const PRINCIPAL_ATTRIBUTES = [
  'name',
  'subject',
  'issuer',
  'tenant',
  'scopes',
  'client',
  'credential',
  'claims',
] as const;

export type PrincipalAttribute = (typeof PRINCIPAL_ATTRIBUTES)[number];

/** What `Workload` carries besides. */
export const WORKLOAD_ATTRIBUTES = ['id', 'trustDomain'] as const;

export type WorkloadAttribute = (typeof WORKLOAD_ATTRIBUTES)[number];

/**
 * What `Server`, `Tool`, `Prompt` and `Resource` all carry. Every attribute is on every one of them, empty where it says
 * nothing, so that a broad policy does not end in an evaluation error (which denies) on the kinds it did not think of.
 */
export const RESOURCE_ATTRIBUTES = [
  'name',
  'server',
  'owner',
  'environment',
  'risk',
  'readOnly',
  'idempotent',
  'tags',
  'classification',
  'uri',
  'listed',
  'template',
] as const;

export type ResourceAttribute = (typeof RESOURCE_ATTRIBUTES)[number];

/**
 * What `context` holds. `surface` is what the client calls itself: claimed, not verified, fit for narrowing what an honest
 * client sees and never a ground for trust.
 */
export const CONTEXT_ATTRIBUTES = ['arguments', 'undeclared', 'surface', 'workload', 'method', 'now'] as const;

export type ContextAttribute = (typeof CONTEXT_ATTRIBUTES)[number];

/** Annotations that mean something here. Others are refused: a misspelt `@approval` must not let a call through. */
export const ANNOTATIONS = ['id', 'approval', 'mode', 'description'] as const;

export type AnnotationName = (typeof ANNOTATIONS)[number];

export const ACTION_OF_KIND: Readonly<Record<EntryKind, ActionName>> = {
  tool: 'callTool',
  prompt: 'getPrompt',
  resource: 'readResource',
  template: 'readResource',
  server: 'connect',
};

export const TYPE_OF_KIND: Readonly<Record<EntryKind, 'Tool' | 'Prompt' | 'Resource' | 'Server'>> = {
  tool: 'Tool',
  prompt: 'Prompt',
  resource: 'Resource',
  template: 'Resource',
  server: 'Server',
};
