/** Rows for spreadsheets: RFC 4180, and no cell that a spreadsheet would take for a formula. */

/** What a spreadsheet may evaluate (OWASP, CSV injection): a name that a stranger chose must stay a text. */
const FORMULA = /^[=+\-@\t\r]/;

export const csv = (rows: readonly (readonly (string | number)[])[]): string =>
  rows.map((row) => `${row.map(cellOf).join(',')}\r\n`).join('');

function cellOf(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
