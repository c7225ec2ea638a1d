/** What waits for my word. */

import type { Approval } from '../../authz/approval.ts';
import type { Principal } from '../../model/principal.ts';
import { markup, seen, type Html } from './html.ts';
import type { Page } from './layout.ts';
import { spanOf } from './times.ts';

export function approvalsPage(approvals: readonly Approval[], viewer: Principal, nowMs: number): Page {
  const body =
    approvals.length === 0
      ? markup`<section class="card empty">
          <h1>Nothing waits for your word</h1>
          <p class="lead">When a call needs your approval, it stands here. Load the page again to look.</p>
        </section>`
      : markup`<h1>${approvals.length === 1 ? 'One call waits' : `${approvals.length} calls wait`} for your word</h1>
          <ul class="list">
            ${approvals.map((approval) => item(approval, nowMs))}
          </ul>`;
  return { title: 'Approvals', viewer: viewer.name, body };
}

const item = ({ id, address, requestedBy, risk, expiresAtMs }: Approval, nowMs: number): Html =>
  markup`<li>
    <a href="/approvals/${id}"
      ><span class="what">${seen(requestedBy.name)} asks to call <code>${seen(address)}</code></span>
      <p class="meta">
        <span class="chip ${risk}">${risk} risk</span><span>${spanOf(expiresAtMs - nowMs)} left</span>
      </p></a
    >
  </li>`;
