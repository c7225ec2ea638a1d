/**
 * The port for changes of API keys that commands made, on their way to an audit record: the file of a running gateway is locked,
 * so whoever changes a key leaves a note with the key, in the same transaction, and a gateway takes it over.
 */

export type KeyEvent = {
  /** Stands in the record, too: a change that was recorded twice is recognised by it. */
  readonly id: string;
  readonly atMs: number;
  /** `cli:ops` */
  readonly actor: string;
  /** `create`, `expire`, `revoke` */
  readonly action: string;
  readonly tenant: string;
  readonly name: string;
};

export type KeyEventClaim = {
  readonly nowMs: number;
  /** Nobody else takes them before; from then on they were not recorded, and are free again. */
  readonly untilMs: number;
  readonly limit: number;
};

export interface KeyEventStore {
  /** The oldest that no gateway has recorded or claimed. Of gateways that ask at once, one gets each. */
  claim(claim: KeyEventClaim): Promise<readonly KeyEvent[]>;
  /** They are on stable storage: nobody takes them again. */
  recorded(ids: readonly string[], nowMs: number): Promise<void>;
}
