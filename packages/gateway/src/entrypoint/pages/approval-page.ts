/** The page of one approval: exactly what will happen, who asks for it, why it needs a person's word. */

import type { Approval, ApprovalDecision, ApprovalNeed } from '../../authz/approval.ts';
import { approverText } from '../../model/decision.ts';
import type { Principal } from '../../model/principal.ts';
import { argumentsView, type ArgumentsView } from './arguments-view.ts';
import { markup, seen, type Html } from './html.ts';
import type { Page } from './layout.ts';
import { standingOf, type Standing } from './standing.ts';
import { spanOf, timeOf } from './times.ts';

export type ApprovalPageParts = {
  readonly approval: Approval;
  readonly viewer: Principal;
  readonly nowMs: number;
  /** Goes with the form. */
  readonly token: string;
};

export function approvalPage({ approval, viewer, nowMs, token }: ApprovalPageParts): Page {
  const standing = standingOf(approval, viewer, nowMs);
  const args = argumentsView(approval.arguments);
  const body = markup`${notice(approval, standing, viewer, nowMs)}
    <h1>${seen(approval.requestedBy.name)} asks to call <code>${seen(approval.address)}</code></h1>
    <ul class="chips">
      <li class="chip ${approval.risk}">${RISKS[approval.risk]}</li>
      <li class="chip">${KINDS[approval.kind]}</li>
      ${standing.kind === 'yours' ? markup`<li class="chip">${spanOf(approval.expiresAtMs - nowMs)} left</li>` : undefined}
    </ul>
    <section class="card">
      <h2>Why it needs approval</h2>
      <ul class="needs">
        ${approval.needs.map(needView)}
      </ul>
    </section>
    <section class="card">
      <h2>Arguments, exactly</h2>
      ${args.html}
    </section>
    <section class="card">
      <h2>Details</h2>
      ${facts(approval)}
    </section>
    ${standing.kind === 'yours' ? decideForm(approval, args, token) : undefined}`;
  return { title: `${KINDS[approval.kind]} ${approval.address}`, viewer: viewer.name, body };
}

const RISKS = { low: 'Low risk', medium: 'Medium risk', high: 'High risk' } as const;

const KINDS: Readonly<Record<Approval['kind'], string>> = {
  tool: 'Tool',
  prompt: 'Prompt',
  resource: 'Resource',
  template: 'Resource template',
  server: 'Server',
};

function needView({ by, policy, description, decision }: ApprovalNeed): Html {
  const who = by.kind === 'caller' ? 'whoever asks' : markup`somebody in group ${seen(by.group)}`;
  const state = decision === undefined ? markup`Waits for ${who}` : said(decision);
  const reason = description === undefined ? markup`Policy wants a person to approve this.` : seen(description);
  return markup`<li>
    <p>${reason}</p>
    <p class="state">${state} · policy <code>${seen(policy)}</code></p>
  </li>`;
}

const WAYS = { client: 'through their client', api: 'over the API', browser: 'in the browser' } as const;

const said = ({ by, how, verdict, decidedAtMs }: ApprovalDecision): Html =>
  markup`${verdict === 'approved' ? 'Approved' : 'Declined'} by <b>${seen(by.name)}</b> ${WAYS[how]},
    ${timeOf(decidedAtMs)}`;

function facts({ requestedBy, address, createdAtMs, expiresAtMs, requestId, argumentsDigest }: Approval): Html {
  const slash = address.indexOf('/');
  return markup`<dl class="facts">
    <dt>Asked by</dt>
    <dd>${seen(requestedBy.name)} <small>(${seen(requestedBy.subject)} at ${seen(requestedBy.issuer)})</small></dd>
    <dt>Server</dt>
    <dd><code>${seen(slash === -1 ? address : address.slice(0, slash))}</code></dd>
    <dt>Name on it</dt>
    <dd><code>${seen(slash === -1 ? '' : address.slice(slash + 1))}</code></dd>
    <dt>Asked at</dt>
    <dd>${timeOf(createdAtMs)}</dd>
    <dt>Good until</dt>
    <dd>${timeOf(expiresAtMs)}</dd>
    <dt>Request</dt>
    <dd><code>${seen(requestId)}</code></dd>
    <dt>Digest of the arguments</dt>
    <dd><code>sha256:${argumentsDigest}</code></dd>
  </dl>`;
}

function decideForm({ id, requestedBy, needs }: Approval, { cut }: ArgumentsView, token: string): Html {
  const others = needs.filter(({ decision }) => decision === undefined).length > 1;
  const warning = cut
    ? markup`<div class="notice warn">
        <strong>Not everything is on this page</strong>
        <p>
          The arguments are too long to show. Read them over the API before you approve:
          <code>GET /api/v1/approvals/${id}</code>
        </p>
      </div>`
    : undefined;
  return markup`${warning}
    <form method="post" action="/approvals/${id}">
      <input type="hidden" name="token" value="${token}" />
      <div class="decide">
        <button class="primary" name="verdict" value="approved">Approve</button>
        <button class="decline" name="verdict" value="declined">Decline</button>
      </div>
      <p class="hint">
        Approving lets ${seen(requestedBy.name)} make exactly this call,
        once${others ? ', when everybody who is asked has agreed' : ''}. With any other arguments it has to be asked for
        again.
      </p>
    </form>`;
}

function notice(approval: Approval, standing: Standing, viewer: Principal, nowMs: number): Html {
  const caller = viewer.key === approval.requester ? 'You' : seen(approval.requestedBy.name);
  switch (standing.kind) {
    case 'yours':
      return markup`<p class="lead">Waits for your word</p>`;
    case 'approved':
      return banner(
        'good',
        'Approved',
        markup`<p>
          ${caller} can make this call now, once, within ${spanOf(approval.expiresAtMs - nowMs)}. A client that waits
          for it goes on by itself; otherwise the same call has to be made again. There is nothing left to do here.
        </p>`,
      );
    case 'declined':
      return banner('bad', 'Declined', markup`<p>The call was not made. Whoever asked is told so.</p>`);
    case 'used':
      return banner(
        'good',
        'Approved and used',
        markup`<p>
          The call was made${approval.usedAtMs === undefined ? undefined : markup` at ${timeOf(approval.usedAtMs)}`}. This
          approval is good for nothing more.
        </p>`,
      );
    case 'expired':
      return banner(
        'warn',
        'Expired',
        markup`<p>
          It was good until ${timeOf(approval.expiresAtMs)}, and no call was made with it. If the call is still wanted,
          it has to be made again; it asks for a new approval.
        </p>`,
      );
    case 'own-request':
      return banner(
        'warn',
        'You asked for this yourself',
        markup`<p>Somebody else has to approve it: ${wanted(approval)}. Send them the address of this page.</p>`,
      );
    case 'waiting':
      return banner('', 'Waits for others', markup`<p>It still needs the word of ${wanted(approval)}.</p>`);
  }
}

const banner = (tone: 'good' | 'bad' | 'warn' | '', heading: string, body: Html): Html =>
  markup`<div class="notice ${tone}" role="status"><strong>${heading}</strong>${body}</div>`;

function wanted({ needs }: Approval): Html {
  const open = needs.filter(({ decision }) => decision === undefined).map(({ by }) => approverText(by));
  return seen(open.map((by) => (by === 'caller' ? 'the one who asked' : by.replace('group:', 'group '))).join(' and '));
}
