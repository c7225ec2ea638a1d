/** A server that can write: what is checked before it is called, and what the record knows. */

import assert from 'node:assert/strict';

import { runStory, say, textOf } from '../story.ts';

await runStory(import.meta.dirname, { alice: ['engineering'] }, async (story) => {
  assert.match(
    textOf(await story.call('alice', 'files/read_text_file', { path: 'notes.txt' })),
    /Notes that may be read/,
  );
  say('A file is read.');

  const misspelt = await story.call('alice', 'files/read_text_file', { pth: 'notes.txt' });
  assert.match(textOf(misspelt), /path/);
  say(`A wrong argument is refused before the server sees it: ${textOf(misspelt).split('\n')[0]}`);

  const outside = await story.call('alice', 'files/read_text_file', { path: '/etc/hostname' });
  assert(outside.kind === 'result' && outside.result['isError'] === true);
  say('A path outside its folder is refused by the server itself; that is a result, and passes as one.');

  assert.match(textOf(await story.call('alice', 'files/write_file', { path: 'x', content: 'x' })), /Unknown tool/);
  say('A tool that no policy allows does not exist.');

  for (let calls = 0; calls < 3; calls += 1) await story.call('alice', 'files/list_directory', { path: '.' });
  const tooFast = await story.call('alice', 'files/list_directory', { path: '.' });
  assert(tooFast.kind === 'error' && tooFast.status === 429);
  say('The fourth listing in a row is one too many: 429.');

  const before = story.records().length;
  await story.call('alice', 'files/create_directory', { path: '.' });
  assert(story.records().length > before);
  say('A tool that may write is in the record before it is called.');
});
