/** A value that must not be seen: it prints as `[redacted]` wherever a string, JSON or a debugger's view is made of it. */

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The secret itself. Called in `authn`, `credential`, `upstream`, `egress`, `seal` and `storage` only (test/architecture.test.ts). */
  expose(): string {
    return this.#value;
  }

  toString(): string {
    return '[redacted]';
  }

  toJSON(): string {
    return '[redacted]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[redacted]';
  }
}
