/** Which action of policy an operation is, on which kind of entry. What fits no row gets no permit. */

import type { Operation, OperationKind } from '../model/operation.ts';
import { GATEWAY_ID, type Entry, type EntryKind } from '../model/target.ts';
import type { ActionName } from './vocabulary.ts';

type Rule = { readonly action: ActionName; readonly on: readonly EntryKind[] };

const TOOL: Rule = { action: 'callTool', on: ['tool'] };
const CONNECT: Rule = { action: 'connect', on: ['server'] };
/** What we do not know by name. */
const METHOD: Rule = { action: 'callMethod', on: ['server'] };

const RULES: Readonly<Record<Exclude<OperationKind, 'complete-argument' | 'administer'>, Rule>> = {
  'call-tool': TOOL,
  'get-prompt': { action: 'getPrompt', on: ['prompt'] },
  'read-resource': { action: 'readResource', on: ['resource'] },
  discover: CONNECT,
  ping: CONNECT,
  list: CONNECT,
  listen: CONNECT,
  notify: CONNECT,
  'end-session': CONNECT,
  'set-log-level': CONNECT,
  subscribe: { action: 'readResource', on: ['resource'] },
  // Whoever lost the right to a resource may still stop hearing of it.
  unsubscribe: CONNECT,
  // The tool that it came out of: whoever may not call that has no more of its result.
  task: TOOL,
  extension: METHOD,
};

const COMPLETE_PROMPT: Rule = { action: 'getPrompt', on: ['prompt'] };
const COMPLETE_TEMPLATE: Rule = { action: 'readResource', on: ['template', 'resource'] };

export function actionOf(operation: Operation, entry: Entry): ActionName | undefined {
  // On the gateway itself and nowhere else, so that no server's entry ever stands for it.
  if (operation.kind === 'administer') return entry.server.id === GATEWAY_ID ? operation.act.name : undefined;
  const rule = ruleOf(operation);
  return rule.on.includes(entry.kind) ? rule.action : undefined;
}

function ruleOf(operation: Exclude<Operation, { kind: 'administer' }>): Rule {
  if (operation.kind !== 'complete-argument') return RULES[operation.kind];
  return operation.ref.kind === 'prompt' ? COMPLETE_PROMPT : COMPLETE_TEMPLATE;
}
