/** How a command ends. The numbers are part of the interface: `sallyport --help` lists them. */

export const EXIT = {
  done: 0,
  /** What was checked has a problem, or the gateway could not start. */
  failed: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** Nothing answers at the address. */
  unreachable: 3,
  /** The gateway refused: credential, policy, limit, arguments. */
  refused: 4,
  /** The tool ran and said that it failed. */
  toolFailed: 5,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_CODES_HELP = `Exit codes:
  0  done
  1  a problem was found, or the gateway could not start
  2  the command line makes no sense
  3  nothing answers at the address
  4  the gateway refused (credential, policy, limit, arguments)
  5  the tool ran and said that it failed`;
