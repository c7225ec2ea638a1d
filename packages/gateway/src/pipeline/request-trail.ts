/** The trail of one request: the steps write, `record` reads. */

import type { Decision } from '../model/decision.ts';
import type { Operation } from '../model/operation.ts';
import type { Principal } from '../model/principal.ts';
import type { Entry } from '../model/target.ts';
import type { ApprovalFact, Fact, Trail } from '../model/trail.ts';

export class RequestTrail implements Trail {
  principal: Principal | undefined;
  entry: Entry | undefined;
  operation: Operation | undefined;
  decision: Decision | undefined;
  approval: ApprovalFact | undefined;
  intentSequence: number | undefined;
  release: (() => void) | undefined;
  listed: { readonly shown: number; readonly hidden: number } | undefined;

  note(fact: Fact): void {
    switch (fact.kind) {
      case 'authenticated':
        this.principal = fact.principal;
        break;
      case 'resolved':
        this.entry = fact.entry;
        break;
      case 'pinned':
        this.operation = fact.operation;
        break;
      case 'decided':
        this.decision = fact.decision;
        break;
      case 'approval':
        this.approval = fact.approval;
        break;
      case 'intended':
        this.intentSequence = fact.sequence;
        break;
      case 'holding':
        this.release = fact.release;
        break;
      case 'listed':
        this.listed = fact;
        break;
    }
  }
}
