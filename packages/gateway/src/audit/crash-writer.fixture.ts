/** A process that writes records under load until it is killed. Prints an intent's number once the call may leave. */

import { createFileAuditLog } from './file-audit-log.ts';
import { alice, authorized, inbound, tool } from './testing.ts';

const CALLERS = 16;
const [path = ''] = process.argv.slice(2);
const ignore = (): void => undefined;

const log = await createFileAuditLog({
  path,
  version: '1.2.3',
  now: Date.now,
  logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
  instruments: { auditBacklog: ignore, auditFailed: ignore },
});

async function caller(name: number): Promise<never> {
  for (let call = 0; ; call++) {
    const id = `${name}-${call}`;
    const intent = await log.intend(authorized(id, false));
    const sequence = log.sequenceOf(intent);
    process.stdout.write(`${sequence}\n`);
    const entry = tool('write', false);
    const event = { request: inbound({ id }), principal: alice, entry, outcome: 'ok', durationMs: 1 } as const;
    log.append({ ...event, ...(sequence !== undefined && { intentSequence: sequence }) });
  }
}

await Promise.all(Array.from({ length: CALLERS }, (_, name) => caller(name)));
