/** Every bound of the command line, with its unit: the engine's own (`src/limits.ts`) are not loaded here. */
export const BOUNDS = {
  /** Bytes of a file, or of standard input, that is read as a value, a policy or variables. */
  inputBytes: 8 * 1024 * 1024,
  /** Bytes of a file that is imported as platform state. */
  stateBytes: 64 * 1024 * 1024,
  /** Folders between the working folder and the root that are looked into for `.envm.json`. */
  folders: 64,
  /** Bytes of `.envm.json` and of the login file. */
  settingsBytes: 1024 * 1024,
  /** Items of one page that is asked for. */
  page: 500,
  /** Items of a list where the caller does not say. */
  listed: 50,
  /** Items of a list at most. */
  listedMax: 100_000,
  /** Names of one change that are told in one line. */
  namesTold: 12,
  /** Characters that a line of a table may have where no terminal says. */
  columns: 100_000,
  /** Members of one component whose differences are told. */
  membersTold: 50,
  /** Columns below which a table does not get narrower. */
  columnsMin: 40,
  /** Columns that one column of a table keeps, however narrow the terminal is. */
  columnMin: 3,
  /** Characters typed at a prompt. */
  typed: 64 * 1024,
  /** Times that somebody may type a confirmation wrongly, or mend a document that is not valid. */
  attempts: 3,
  /** Milliseconds between two pictures of a progress bar. */
  progressMs: 80,
  /** Milliseconds that work goes on before a progress bar shows. */
  progressAfterMs: 300,
  /** Milliseconds that a program has to end before it is killed, when it is started anew. */
  restartMs: 10_000,
  /** Milliseconds between two looks whether what such a program started has ended too. */
  groupLookMs: 25,
  /** Milliseconds after which a program's newer variables, which could not be read, are asked for again. */
  watchRetryMs: 5_000,
  /** Milliseconds after which whoever typed a command is told that it waits for the engine. */
  waitToldMs: 5_000,
  /** Milliseconds that a command waits for one answer, repetitions included. */
  waitMs: 60_000,
  /** Milliseconds that a command waits for one that is long: a large state may go over a slow line. */
  waitLongMs: 300_000,
  /** Milliseconds that `doctor` waits for one answer. */
  doctorMs: 5_000,
  /** Milliseconds that the completion of a name may ask the engine. */
  completionMs: 1_500,
  /** Milliseconds by which the clocks of here and the engine may differ before `doctor` says so. */
  clockMs: 30_000,
} as const;
