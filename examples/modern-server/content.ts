/** A resource, a resource template and a prompt. */

import { completable, ResourceTemplate } from '@modelcontextprotocol/server';
import type { McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';

import { convert, UNIT_NAMES, unitTable } from './units.ts';

const plainText = (uri: string, text: string) => ({ contents: [{ uri, mimeType: 'text/plain', text }] });

export function registerContent(server: McpServer): void {
  server.registerResource(
    'units',
    'toolbox://units',
    { title: 'Known units', description: 'Every unit that convert_units takes, by quantity.', mimeType: 'text/plain' },
    () => plainText('toolbox://units', unitTable()),
  );
  server.registerResource(
    'unit',
    new ResourceTemplate('toolbox://units/{from}/{to}', {
      list: undefined,
      complete: { from: startingWith, to: startingWith },
    }),
    { title: 'Conversion factor', description: 'What one of a unit is in another.', mimeType: 'text/plain' },
    (uri, { from, to }) => {
      const [one, other] = [String(from), String(to)];
      return plainText(uri.href, `1 ${one} = ${convert(1, one, other)} ${other}`);
    },
  );
  server.registerPrompt(
    'recipe',
    {
      title: 'Convert a recipe',
      description: 'Asks for a recipe with all quantities in the units of a country.',
      argsSchema: z.object({
        recipe: z.string().describe('The recipe as it is'),
        system: completable(z.string().describe('metric or imperial'), (value) =>
          ['metric', 'imperial'].filter((name) => name.startsWith(value)),
        ),
      }),
    },
    ({ recipe, system }) => ({
      messages: [
        {
          role: 'user',
          content: {
            type: 'text',
            text: `Rewrite this recipe with ${system} units. Use convert_units for every quantity.\n\n${recipe}`,
          },
        },
      ],
    }),
  );
}

const startingWith = (value: string): string[] => UNIT_NAMES.filter((name) => name.startsWith(value));
