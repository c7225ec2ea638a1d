/** PostgreSQL's kinds of statements as policy names them. */

type Statement = {
  readonly operation: string;
  /** Every node below it has to be known. */
  readonly strict: boolean;
};

const ROWS: Readonly<Record<string, string>> = {
  SelectStmt: 'select',
  InsertStmt: 'insert',
  UpdateStmt: 'update',
  DeleteStmt: 'delete',
  MergeStmt: 'merge',
  TruncateStmt: 'truncate',
  ExplainStmt: 'explain',
};

const OTHERS: Readonly<Record<string, string>> = {
  CallStmt: 'call',
  CommentStmt: 'alter',
  CopyStmt: 'copy',
  DoStmt: 'do',
  ExecuteStmt: 'execute',
  GrantRoleStmt: 'grant',
  GrantStmt: 'grant',
  AlterDefaultPrivilegesStmt: 'grant',
  IndexStmt: 'create',
  LoadStmt: 'load',
  LockStmt: 'lock',
  PrepareStmt: 'prepare',
  RenameStmt: 'alter',
  RuleStmt: 'create',
  ViewStmt: 'create',
  DefineStmt: 'create',
  CompositeTypeStmt: 'create',
  VariableSetStmt: 'set',
};

/** What a statement does. What has no word of its own is `other`. */
export function operationOf(kind: string): Statement {
  const rows = ROWS[kind];
  if (rows !== undefined) return { operation: rows, strict: true };
  const prefixed = /^(Create|Alter|Drop)/i.exec(kind)?.[1]?.toLowerCase();
  return { operation: OTHERS[kind] ?? prefixed ?? 'other', strict: false };
}
