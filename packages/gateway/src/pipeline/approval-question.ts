/**
 * What a person is shown before they say yes: exactly what will happen, on lines that no argument can break or hide
 * behind. Text that came from callers and servers is quoted, and what would not be seen is spelled out.
 */

import type { Approval } from '../authz/approval.ts';
import { approverText } from '../model/decision.ts';
import { formQuestion, linkQuestion, OWN_KEY_PREFIX } from '../model/elicitation.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { InputRequests } from '../model/outcome.ts';

/** Two keys, so that nobody's "I opened the link" is taken for a yes. */
export const CONFIRM_KEY = `${OWN_KEY_PREFIX}approval`;
export const LINK_KEY = `${OWN_KEY_PREFIX}approval-link`;

/** Longer than a person reads in a dialog; what does not fit is shown on the page, where there is room. */
const MAX_SHOWN_CHARS = 6_000;

const CONFIRM_SCHEMA: JsonObject = {
  type: 'object',
  properties: {
    confirm: {
      type: 'boolean',
      title: 'Approve this call',
      description: 'Yes: it is made once, exactly as shown.',
    },
  },
  required: ['confirm'],
};

/** Undefined when it cannot be shown whole: half of a call is nothing to agree to. */
export function confirmation(approval: Approval): InputRequests | undefined {
  const shown = described(approval, ({ by }) => by.kind === 'caller');
  return shown.length > MAX_SHOWN_CHARS
    ? undefined
    : { [CONFIRM_KEY]: formQuestion(`Approve this call?\n\n${shown}`, CONFIRM_SCHEMA) };
}

export function invitation(approval: Approval, link: string): InputRequests {
  const message = `${whoIsAsked(approval)}\n\n${cut(described(approval, isOpen))}`;
  return { [LINK_KEY]: linkQuestion(message, link) };
}

/** For a client that cannot be asked: what a person has to do, and what the client does then. */
export const instruction = (approval: Approval, link: string): string =>
  `Nothing was done yet: this call needs an approval. ${whoIsAsked(approval)}\n\n${link}\n\n` +
  `When it is approved, make the same call again with the same arguments, before ${timeOf(approval)}.\n\n` +
  cut(described(approval, isOpen));

type Need = Approval['needs'][number];

const isOpen = ({ decision }: Need): boolean => decision === undefined;

function whoIsAsked(approval: Approval): string {
  const open = approval.needs.filter(isOpen).map(({ by }) => by);
  const groups = open.flatMap((by) => (by.kind === 'group' ? [visible(by.group)] : []));
  const others = groups.map((group) => `someone else in the group ${group}`).join(', and ');
  if (groups.length === open.length) return `${capital(others)} has to approve it. Give them this link.`;
  const caller = `${visible(approval.requestedBy.name)} has to confirm it`;
  return groups.length === 0
    ? `${capital(caller)} after opening this link.`
    : `${capital(caller)}, and ${others} has to approve it, after opening this link.`;
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

const WHAT = { tool: 'Tool', prompt: 'Prompt', resource: 'Resource', template: 'Resource', server: 'Server' } as const;

function described(approval: Approval, because: (need: Need) => boolean): string {
  const slash = approval.address.indexOf('/');
  const lines = [
    `${WHAT[approval.kind]}: ${visible(approval.address.slice(slash + 1))}`,
    `Server: ${visible(approval.address.slice(0, slash))}`,
    `Asked for by: ${visible(approval.requestedBy.name)}`,
    ...argumentLines(approval.arguments),
    ...approval.needs.filter(because).map(reason),
    `Good until: ${timeOf(approval)}, for one call`,
  ];
  return lines.join('\n');
}

const timeOf = ({ expiresAtMs }: Approval): string => new Date(expiresAtMs).toISOString();

const reason = ({ by, policy, description }: Need): string =>
  `Why: policy ${visible(policy)} wants an approval by ${visible(approverText(by))}` +
  (description === undefined ? '' : `: ${visible(description)}`);

function argumentLines(args: JsonObject): readonly string[] {
  const lines = Object.entries(args).flatMap(([name, value]) =>
    value === undefined ? [] : [`  ${nameText(name)}: ${visible(jsonText(value))}`],
  );
  return lines.length === 0 ? ['Arguments: none'] : ['Arguments:', ...lines];
}

const jsonText = (value: Json): string => JSON.stringify(value);

const PLAIN_NAME = /^[A-Za-z_][\w.-]{0,63}$/;
const nameText = (name: string): string => (PLAIN_NAME.test(name) ? name : visible(JSON.stringify(name)));

/**
 * Controls, formats (bidirectional, zero-width, tags), unassigned, letters without a shape, and blanks that are no space.
 * Not the selectors between text and picture, which stand behind many a sign.
 */
const UNSEEN = /(?![\ufe0e\ufe0f])[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/gu;

/** The text with everything that would not be seen spelled out. */
export const visible = (text: string): string =>
  text.replace(UNSEEN, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);

const cut = (text: string): string =>
  text.length <= MAX_SHOWN_CHARS
    ? text
    : `${text.slice(0, MAX_SHOWN_CHARS)}… (not all is shown: ${text.length - MAX_SHOWN_CHARS} more characters)`;
