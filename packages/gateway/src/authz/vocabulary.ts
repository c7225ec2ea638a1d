/**
 * The words a policy may use: entity types, their attributes, actions and what `context` holds. One table, so that the
 * entity builder, the checks at load time and the documentation cannot drift apart.
 */

import type { EntryKind } from '../model/target.ts';

export const ENTITY_TYPES = [
  'User',
  'Workload',
  'Group',
  'Client',
  'Tenant',
  'Server',
  'Tool',
  'Prompt',
  'Resource',
  'Action',
  'Unreadable',
] as const;

export const ACTIONS = ['connect', 'callTool', 'getPrompt', 'readResource', 'callMethod'] as const;

export type ActionName = (typeof ACTIONS)[number];

/** What `User` and `Workload` carry. `client` is there only when the token names one; all others always are. */
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

/**
 * What `Server`, `Tool`, `Prompt` and `Resource` all carry. Every attribute is on every one of them, empty where it says
 * nothing, so that a broad policy does not end in an evaluation error (which denies) on the kinds it did not think of.
 */
export const RESOURCE_ATTRIBUTES = [
  'name',
  'server',
  'owner',
  'risk',
  'readOnly',
  'idempotent',
  'tags',
  'uri',
  'listed',
  'template',
] as const;

/**
 * What `context` holds. `surface` is what the client calls itself: claimed, not verified, fit for narrowing what an honest
 * client sees and never a ground for trust.
 */
export const CONTEXT_ATTRIBUTES = ['arguments', 'undeclared', 'surface', 'method', 'now'] as const;

/** Annotations that mean something here. Others are refused: a misspelt `@approval` must not let a call through. */
export const ANNOTATIONS = ['id', 'approval', 'description'] as const;

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
