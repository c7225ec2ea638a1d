/** The same server for two people: what each sees, and a rule that looks at an argument. */

import assert from 'node:assert/strict';

import { runStory, say, textOf } from '../story.ts';

await runStory(import.meta.dirname, { alice: ['engineering'], bob: ['support'] }, async (story) => {
  const alices = await story.tools('alice', 'everything');
  assert(alices.length > 10);
  assert.deepEqual(await story.tools('bob', 'everything'), ['get-sum']);
  say(`Alice sees ${alices.length} tools, Bob sees one.`);

  assert.match(textOf(await story.call('bob', 'everything/get-sum', { a: 2, b: 3 })), /5/);
  say('Bob adds 2 and 3.');

  const large = await story.call('bob', 'everything/get-sum', { a: 200, b: 3 });
  assert.equal(large.kind, 'error');
  assert.match(textOf(await story.call('alice', 'everything/get-sum', { a: 200, b: 3 })), /203/);
  say('He may not add 200: a policy looks at the argument. Alice may.');

  const hidden = await story.call('bob', 'everything/echo', { message: 'x' });
  const absent = await story.call('bob', 'everything/echoo', { message: 'x' });
  assert.equal(textOf(hidden).replace('echo', ''), textOf(absent).replace('echoo', ''));
  say('What Bob may not use looks exactly like what does not exist.');
});
