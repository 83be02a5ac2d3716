/** Bounds on what projects hold, and on lists of it. */
export const CONTENT = {
  /** Bytes of a request body on state routes. */
  stateBodyBytes: 64 * 1024 * 1024,
  /** Bytes of a request body everywhere else. */
  bodyBytes: 1024 * 1024,
  /** Nesting of arrays and objects in any JSON that comes in. */
  jsonDepth: 64,
  /** Members and elements of any JSON that comes in outside state routes, all levels together. */
  jsonMembers: 50_000,
  /** Components in one platform state. */
  components: 1_000_000,
  /** Bytes of one component as canonical JSON. */
  componentBytes: 4 * 1024 * 1024,
  /** Bytes of a collection's or a component's name (`collection/name`) in UTF-8. */
  componentNameBytes: 512,
  /** Characters of a var's, secret's or flag's name. */
  configNameLength: 128,
  /** Bytes of one var's value in UTF-8. */
  varBytes: 64 * 1024,
  /** Bytes of one secret's value in UTF-8. */
  secretBytes: 64 * 1024,
  /** Bytes of one flag definition as canonical JSON. */
  flagBytes: 64 * 1024,
  /** Steps that one flag's rule may take to be evaluated, whatever the context. */
  ruleSteps: 200_000,
  /** Steps that the rules of all flags of one environment may take together: a tenth of a second or so, in which nobody else is served. */
  environmentSteps: 5_000_000,
  /** Steps of a rule that is not counted among those, since an environment cannot hold so many of its kind. */
  simpleSteps: 250,
  /** Bytes of the context that flags are evaluated for, as JSON. */
  contextBytes: 64 * 1024,
  /** Elements of any list in such a context. */
  contextElements: 1_000,
  /** Flags that are kept in memory ready to be evaluated, of all environments together: the same ones count once. */
  cachedFlags: 50_000,
  /** Characters of answers that are kept as they are sent, for each flag of its set: what there is no room for is written each time. */
  writtenAnswerLength: 1_024,
  /** Vars, secrets, flags and what flags share in one environment; keys that one platform requires. */
  configEntries: 20_000,
  /** Bytes of the values of either together, as canonical JSON; those of at most 64 bytes are not counted. */
  configBytes: 8 * 1024 * 1024,
  /** Characters of a value's JSON up to which an edit that brings it is not held to that: 20,000 such values have 20 MiB. */
  weighedLength: 1024,
  /** Characters of a commit message or reason. */
  messageLength: 2_000,
  /** Names kept in one list of a revision's summary of changes; the count beside it is exact. */
  summaryNames: 200,
  /** Secrets that one request names to be revealed, and names in the record of any that were shown; the count beside them is exact. */
  revealedNames: 1_000,
  /** Names in one list of a plan or comparison before it is cut and says so. */
  compareNames: 10_000,
  /** Labels tried for a new version before an exact one is asked for. */
  labelCandidates: 1_000_000,
  /** Lines of descent remembered for the newest common ancestor of two revisions. */
  lineage: 64,
  /** Items of one page of an HTTP list. */
  pageItems: 1_000,
  /** Values of a state, or of each side of a comparison, that are loaded at a time while it is read; fewer where they are large. */
  textEntries: 64,
  /** Items of one page of an HTTP list where none is asked for. */
  pageItemsDefault: 100,
  /** Environments in the pipeline of a policy. */
  pipeline: 100,
  /** Records or names that a list looks at at a time, where it finds few of what is asked for. */
  scanPage: 500,
  /** Faults that one reply names; there may be thousands. */
  faults: 20,
  /** Characters of a fault's path or message: both may hold names that the caller chose. */
  faultLength: 200,
} as const;
