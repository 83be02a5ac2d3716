/** Every bound of the engine, with its unit. A bound that is not here is not a bound. */
export const LIMITS = {
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
  /** Vars, secrets, flags and what flags share in one environment. */
  configEntries: 20_000,
  /** Characters of a commit message or reason. */
  messageLength: 2_000,
  /** Names kept in one list of a revision's summary of changes; the count beside it is exact. */
  summaryNames: 200,
  /** Names in one list of a plan or comparison before it is cut and says so. */
  compareNames: 10_000,
  /** Labels tried for a new version before an exact one is asked for. */
  labelCandidates: 1_000_000,
  /** Lines of descent remembered for the newest common ancestor of two revisions. */
  lineage: 64,

  /** Bytes of a document key in UTF-8. */
  keyBytes: 1024,
  /** Characters of a partition's name. */
  partitionLength: 128,
  /** Bytes of one document as canonical JSON. */
  documentBytes: 1024 * 1024,
  /** Bytes of one content-addressed object. */
  objectBytes: 5 * 1024 * 1024,
  /** Bytes of documents and objects in one commit. */
  commitBytes: 8 * 1024 * 1024,
  /** Checks, puts, deletes and objects in one commit. */
  commitOperations: 20_000,
  /** Keys in one consistent read. */
  getKeys: 4_096,
  /** Entries in one page of a list read from the store. */
  listEntries: 10_000,
  /** Entries of one node of a Merkle map. */
  nodeEntries: 4_096,
  /** Levels of a Merkle map. */
  mapDepth: 64,

  /** Items of one page of an HTTP list. */
  pageItems: 1_000,
  /** Items of one page of an HTTP list where none is asked for. */
  pageItemsDefault: 100,
  /** Environments in the pipeline of a policy. */
  pipeline: 100,
  /** Records or names that a list looks at at a time, where it finds few of what is asked for. */
  scanPage: 500,
  /** Attempts of one write that loses its races to other instances. */
  commitAttempts: 12,
  /** Milliseconds of the longest pause between two of them. */
  commitPauseMs: 100,
  /** Looks for a commit whose answer was lost, before nobody knows what became of it. */
  readBackAttempts: 8,
  /** Milliseconds that an instance that wrote a project lets another go first, at most. */
  writeTurnMs: 1_000,
  /** How many times as long as its own commit took, at most. */
  writeTurnCommits: 3,
  /** Milliseconds for which two instances count as writing the same project, after one of them lost a race. */
  rivalryMs: 2_000,
  /** Projects of which that is known at a time. */
  rivalries: 10_000,
  /** Writers of one project that share one commit. */
  batchWriters: 64,
  /** Writers of one project that may wait. */
  queuedWriters: 10_000,
  /** Reads that may wait to hear how new an answer has to be. */
  queuedReads: 10_000,
  /** Partitions whose newest revision is kept in memory, on a store that one engine has to itself. */
  cachedRevisions: 10_000,
  /** Projects of which is kept in memory what their newest commit read and wrote, on a store that one engine has to itself. */
  recentProjects: 1_000,
  /** Documents that such a commit may have read and written: of a larger one nothing is kept. */
  recentDocuments: 100,
  /** Heads of environments kept in memory. */
  cachedHeads: 10_000,
  /** Milliseconds that a read waits for the store before it is answered from memory, where that is allowed. */
  staleAfterMs: 1_000,
  /** Milliseconds that `STALE_READS` may allow at most: how long a revoked token may still read while the store is away. */
  staleMaxMs: 60 * 60_000,
  /** Partitions that a store remembers something of in memory: their number in the SQLite file, what was told of them. */
  cachedPartitions: 10_000,
  /** Bytes on their way to a store on another machine at a time. */
  storeSendingBytes: 64 * 1024 * 1024,
  /** Milliseconds for which a Redis server may owe answers and give none, until its connection is given up. */
  storeReplyMs: 5_000,
  /** Milliseconds that a request waits for a new connection to Redis after one broke. */
  storeReconnectMs: 3_000,
  /** Milliseconds before the first attempt at a new connection to a shared store; twice as long after each that fails. */
  storeRetryMs: 50,
  /** Milliseconds between two such attempts at most. */
  storeRetryMaxMs: 2_000,
  /** Milliseconds between two looks whether announcements of Redis still arrive, and which servers its cluster has. */
  storeProbeMs: 2_000,
  /** Milliseconds for which a Redis server remembers that commits whose connection broke are not to be taken any more. */
  storeFenceMs: 60 * 60_000,
  /** Times that a Redis cluster may send a command on to another of its servers. */
  storeRedirects: 5,
  /** Reads that may wait for a connection to PostgreSQL. */
  waitingReads: 10_000,
  /** Connections of one engine to PostgreSQL that commit at the same time. */
  postgresWriters: 4,
  /** Connections of one engine to PostgreSQL that read, where `pool_size` says nothing else. */
  postgresReaders: 6,
  /** Milliseconds for one statement to be answered by PostgreSQL, where `statement_timeout` says nothing else. */
  postgresStatementMs: 15_000,
  /** Milliseconds for a connection to PostgreSQL to be made, where `connect_timeout` says nothing else. */
  postgresConnectMs: 5_000,
  /** Milliseconds that a commit or a migration waits for a lock that another session of PostgreSQL holds. */
  postgresLockMs: 10_000,
  /** Milliseconds that an index of PostgreSQL may take to be built beside those who write: tables may be of any size. */
  postgresIndexMs: 6 * 60 * 60_000,
  /** Times that an engine begins to build it where another began at the same moment. */
  postgresIndexAttempts: 10,
  /** Bytes of one NOTIFY of PostgreSQL, which takes less than 8,000. */
  notifyBytes: 7_900,
  /** Milliseconds between two looks for changes to PostgreSQL that nobody told of. */
  storePollMs: 5_000,
  /** Milliseconds that a commit to PostgreSQL whose answer was lost waits to make sure what became of it. */
  storeDoubtMs: 15_000,
  /** Groups of commits to PostgreSQL whose answers were lost and that could not be settled yet; no more are sent then. */
  doubtfulGroups: 1_000,
  /** Commits that share one transaction of the store. */
  groupCommits: 256,
  /** Milliseconds for which the answer to a request with an idempotency key is kept. */
  onceMs: 24 * 60 * 60_000,
  /** Characters of an idempotency key. */
  onceKeyLength: 255,
  /** Milliseconds of any duration: what is added to a date must stay one whose year has four digits. */
  durationMs: 100 * 365 * 24 * 60 * 60_000,
  /** Milliseconds that a preview may live at most. */
  previewTtlMs: 365 * 24 * 60 * 60_000,
  /** Milliseconds that a preview whose creation names no end lives. */
  previewDefaultTtlMs: 72 * 60 * 60_000,
  /** Milliseconds that a preview lives that is brought back without a new end. */
  previewRestoredMs: 24 * 60 * 60_000,
  /** Milliseconds after its end within which a preview can be brought back. */
  previewGraceMs: 24 * 60 * 60_000,
  /** Milliseconds after which an approved promotion that another check holds back is tried again. */
  promotionRetryMs: 60_000,
  /** Due timers acted on at a time. */
  dueAtOnce: 200,
  /** Milliseconds between two times that an engine sets its clock by its store's, where others share that. */
  clockSetMs: 60_000,
  /** Milliseconds that an instance has the engine's own work to itself, from its last commit of the lease on. */
  workLeaseMs: 15_000,
  /** Milliseconds between two looks for what is due. */
  dueEveryMs: 5_000,
  /** Characters of a preview's source reference. */
  sourceRefLength: 500,
  /** Milliseconds after which a secret's unfinished intent is swept away. */
  intentAgeMs: 10 * 60_000,
  /** Milliseconds for which an object that nothing refers to is kept: nothing younger is ever collected. */
  garbageAgeMs: 24 * 60 * 60_000,
  /** Stored objects that one object stands upon, at most: deltas on the way to one that is stored whole. */
  deltaSteps: 6,
  /** Bytes from which on an object may be stored as a delta, and up to which. */
  deltaMinBytes: 64,
  deltaObjectBytes: 1024 * 1024,
  /** Objects that are fetched at a time in order to store others upon them. */
  deltaFetched: 64,
  /** Part of an object's bytes that its delta may take; where it would take more, the object is stored whole. */
  deltaShare: 0.5,
  /** Bytes of objects kept in memory, upon which others are stored as deltas. */
  deltaBaseBytes: 16 * 1024 * 1024,
  /** Milliseconds between two collections of one project's garbage. */
  garbageEveryMs: 6 * 60 * 60_000,
  /** Objects, and answers to requests with an idempotency key, that one collection takes at most. */
  garbageItems: 100_000,
  /** Objects or documents that one commit of a collection deletes. */
  garbageBatch: 1_000,
  /** Vault entries that one commit of a collection gives up. */
  garbageSecrets: 100,
  /** Milliseconds for which a rollback finds the secrets of what was head then. */
  rollbackWindowMs: 90 * 24 * 60 * 60_000,
  /** Newest revisions of an environment whose secrets a rollback finds, however old they are. */
  rollbackRevisions: 100,
  /** Milliseconds for which an archived environment can be brought back. */
  archiveRetentionMs: 90 * 24 * 60 * 60_000,
  /** Looks at a source that is written to all the time, until its copy is given up as not exact. */
  copyRounds: 20,
  /** Documents or objects that are copied from one store to another in one step. */
  copyBatch: 500,
  /** Faults that one check of a store tells in full. */
  integrityFaults: 1_000,
  /** Seconds between two runs of the sweeper over all projects. */
  sweepSeconds: 600,
  /** Bytes of decoded Merkle nodes and values kept in memory. */
  objectCacheBytes: 64 * 1024 * 1024,
  /** Milliseconds for which objects that nobody asks for are kept in memory, where others come. */
  cacheIdleMs: 5 * 60_000,
  /** Milliseconds that a start waits for a database file that another engine still holds. */
  storeLockMs: 2_000,
  /** Milliseconds that a token lives whose creation names no end. */
  tokenDefaultTtlMs: 90 * 24 * 60 * 60_000,
  /** Milliseconds for which a rotated token is still taken, where the rotation does not say. */
  tokenOverlapMs: 60 * 60_000,
  /** Milliseconds for which a rotated token is still taken at most. */
  tokenMaxOverlapMs: 30 * 24 * 60 * 60_000,
  /** Characters of a token's name, and of the person that a sibling engine names. */
  actorLength: 100,
  /** Characters of a token as it is sent, a JWT's included. */
  bearerLength: 16 * 1024,
  /** Patterns of projects, and of environments, of one token. */
  tokenPatterns: 20,
  /** Tokens, and sessions, kept in memory. */
  cachedTokens: 10_000,
  /** Tokens whose last use, or refusal, is kept in memory until it is written. */
  notedTokens: 10_000,
  /** Milliseconds between two times that the last use of tokens is written. */
  useNotedMs: 60_000,
  /** Milliseconds within which the same refusal is recorded once. */
  refusalNotedMs: 60 * 60_000,
  /** Milliseconds for which a ticket to watch one environment is the same; it is taken for as long again at most. */
  ticketMs: 60 * 60_000,
  /** Log-ins with one token in a second, in the long run. */
  sessionsPerSecondPerToken: 1,
  /** Log-ins with one token at once, after a time without any. */
  sessionsBurstPerToken: 60,
  /** Milliseconds that a session of the dashboard lasts. */
  sessionMs: 12 * 60 * 60_000,
  /** Times that a request to a sibling engine is sent, where it may be repeated. */
  siblingAttempts: 3,
  /** Milliseconds before the first repetition, about. */
  siblingRetryMs: 100,
  /** Milliseconds that one request to a sibling engine may take. */
  siblingTimeoutMs: 5_000,
  /** Failures in a row after which a sibling engine is left alone. */
  siblingFailures: 5,
  /** Milliseconds for which it is left alone. */
  siblingPauseMs: 10_000,
  /** Milliseconds for which it is left alone at most where it asks for that, with 429 or 503 and `Retry-After`. */
  siblingRestMs: 60_000,
  /** Times that a request is sent to a KV vault which asks for it to be sent again later. */
  vaultAttempts: 4,
  /** Milliseconds before the first of these repetitions, besides what the vault asks for; twice as long before each further one. */
  vaultRetryMs: 250,
  /** Milliseconds that such a vault may ask for before it is repeated: who would have to wait longer is refused. */
  vaultPatienceMs: 5_000,
  /** Milliseconds that a KV vault which answers with faults may take to say whether it is sealed. */
  vaultSealMs: 2_000,
  /** Milliseconds that a look at a vault elsewhere is waited for: it goes on, and the next look tells. */
  vaultLookMs: 2_000,
  /** Milliseconds that giving a token back to a KV vault may take at the end. */
  vaultRevokeMs: 2_000,
  /** Milliseconds from one look at a KV vault's lease to the next, at most: timers do not reach further than 24 days. */
  vaultLeaseLookMs: 24 * 60 * 60_000,
  /** Milliseconds until a lease that could not be renewed is tried again, at least. */
  vaultLeaseRetryMs: 1_000,
  /** Entries that are copied to another vault at a time. */
  vaultMoveAtOnce: 8,
  /** Entries whose fingerprints are made anew in one commit, after that. */
  vaultMoveFacts: 100,
  /** Milliseconds that a reader may wait for something newer. */
  waitMs: 60_000,
  /** Paths whose replies are kept ready for whoever reads them next. */
  readyPaths: 10_000,
  /** Bytes of one reply that is kept ready. */
  readyBytes: 1024 * 1024,
  /** Bytes of all replies that are kept ready. */
  readyBytesTotal: 64 * 1024 * 1024,
  /** Bytes of a reply up to which it is sent in one piece with its headers. */
  readyTextBytes: 16 * 1024,
  /** Revisions that whoever watches an environment is told of after having been away; of more, the newest alone. */
  watchReplay: 500,
  /** Bytes that wait for one who watches and does not read, before the connection is cut. */
  watchBufferBytes: 512 * 1024,
  /** Milliseconds between two signs of life to whoever watches. */
  watchHeartbeatMs: 15_000,
  /** Milliseconds after which whoever watched comes back, at least; up to three times as long, so that not all come at once. */
  watchReturnMs: 1_000,
  /** Milliseconds after which a store that is away is looked at again for whoever watches. */
  watchRetryMs: 1_000,
  /** Milliseconds between two times that the tokens of all who watch are judged again, at least. */
  watchJudgeMs: 100,
  /** Series of metrics: an operation with a status each. */
  metricSeries: 2_000,
  /** Characters of a URL that a sibling engine or a user gives. */
  urlLength: 2_048,
  /** Milliseconds that a deployment may take until the planner says what became of it. */
  deployMs: 20_000,
  /** Characters of what the Deployment Planner says of one deployment. */
  deployTextLength: 1_000,
  /** Flows that the Validation engine is asked about at a time. */
  validationsAtOnce: 8,
  /** Verdicts of the Validation engine kept in memory. */
  cachedVerdicts: 10_000,
  /** Faults that are taken of one verdict. */
  validationFaults: 100,
  /** Characters of one fault's field or reason. */
  validationTextLength: 500,
  /** Audit records that a sink is sent of one project before another project has its turn. */
  sinkPage: 100,
  /** Milliseconds after which another project has its turn, even so. */
  sinkTurnMs: 5_000,
  /** Records sent between two commits of a cursor: what a crash repeats at most. */
  sinkBatch: 20,
  /** Milliseconds that a sender has a project and sink to itself, from its last commit on. */
  sinkLeaseMs: 15_000,
  /** Milliseconds before a sink that failed is tried again, about; twice as long after each further failure. */
  sinkRetryMs: 1_000,
  /** Milliseconds before it is tried again at most. */
  sinkRetryMaxMs: 15 * 60_000,
  /** Milliseconds for which a sink is left alone at most where it asks for that with `Retry-After`. */
  sinkRestMs: 24 * 60 * 60_000,
  /** Projects that are sent to sinks of one kind at a time. */
  sinkSenders: 16,
  /** Projects that may wait for that; what comes then is found by a sweep. */
  sinkQueue: 10_000,
  /** Milliseconds that a record may take to the Monitoring engine. */
  sinkTimeoutMs: 5_000,
  /** Newest records that a sink refused, kept with their reasons. */
  sinkRefusals: 20,
  /** Characters of a sink's error that are kept. */
  sinkErrorLength: 500,
  /** Keys that audit exports were ever signed with. */
  auditKeys: 1_000,
  /** Milliseconds within which the same alert is raised once. */
  alertEveryMs: 60 * 60_000,
  /** Alerts that are on their way at a time, besides those that audit records give rise to. */
  alertsAtOnce: 16,
  /** Webhooks of one project. */
  webhooks: 50,
  /** Patterns of events, and of environments, of one webhook. */
  webhookPatterns: 50,
  /** Milliseconds that a webhook's receiver may take. */
  webhookTimeoutMs: 10_000,
  /** Times that a receiver must refuse an event before it is passed over. */
  webhookRefusals: 5,
  /** Milliseconds of nothing but failures after which a webhook is switched off. */
  webhookGiveUpMs: 5 * 24 * 60 * 60_000,
  /** Newest attempts of one webhook that are kept. */
  webhookDeliveries: 100,
  /** Milliseconds for which events are signed with a rotated secret too, where the rotation does not say. */
  webhookOverlapMs: 24 * 60 * 60_000,
  /** Milliseconds for which they are at most. */
  webhookMaxOverlapMs: 30 * 24 * 60 * 60_000,
  /** Bytes of a branch's name. */
  branchBytes: 200,
  /** Bytes of a folder's way in a repository. */
  folderBytes: 1_024,
  /** Characters of a value from which on it is compared with the environment's secrets, where a repository holds it as a var. */
  recognisedSecretLength: 8,
  /** Characters of the name, and of the address, of a commit's author. */
  commitAuthorLength: 256,
  /** Bytes of a push, as a forge tells of it. */
  pushBytes: 5 * 1024 * 1024,
  /** Deliveries of a repository's pushes that are remembered, so that one that comes again does nothing. */
  gitDeliveries: 128,
  /** Pulls that the engine makes by itself at a time, each of another project. */
  gitPullsAtOnce: 2,
  /** Milliseconds after which a pull that has to wait for others is looked at again. */
  gitBusyMs: 2_000,
  /** Milliseconds that fetching a branch may take, looked at as a whole. */
  gitFetchMs: 120_000,
  /** Milliseconds that reading what was fetched may take. */
  gitReadMs: 120_000,
  /** Milliseconds after which a folder of a fetch, or of a key for ssh, is nobody's, where whoever made it cannot be asked. */
  scratchAgeMs: 24 * 60 * 60_000,
  /** Folders of a repository whose names are asked for at a time. */
  gitFoldersAtOnce: 100,
  /** Milliseconds after which a pull that failed is tried again, at first; each time twice as many. */
  gitRetryMs: 15_000,
  /** Times that a pull is tried before it is given up until the next push. */
  gitPullAttempts: 8,
  /** Milliseconds between two looks at how much was fetched. */
  gitWatchMs: 200,
  /** Bytes that a repository may take, fetched. */
  gitFetchBytes: 512 * 1024 * 1024,
  /** Commits of a branch that are read at a time. */
  gitCommitsAtOnce: 200,
  /** Files of one commit, or of the difference of two, that are read. */
  gitFiles: 1_000_000,
  /** Bytes of those files together. */
  gitContentBytes: 64 * 1024 * 1024,
  /** Bytes of one of those files. */
  gitFileBytes: 16 * 1024 * 1024,
  /** Characters of a commit's message that are read. */
  commitMessageLength: 20_000,
  /** Bytes of one part of a path in a Git repository, without its ending: longer names are several. */
  gitNameBytes: 200,
  /** Milliseconds that one run of git may take at most. */
  gitMs: 30 * 60_000,
  /** Bytes that a run of git may write, where it does not say. */
  gitOutputBytes: 16 * 1024 * 1024,
  /** Audit records whose revisions are made commits at a time: what a crash repeats at most. */
  gitPage: 500,
  /** Components whose values are read at a time for that. */
  gitValuesAtOnce: 64,
  /** Imports after which packs are put together. */
  gitRepackEvery: 32,
  /** Bytes of one pack. */
  gitPackBytes: 2 * 1024 * 1024 * 1024,
  /** Repositories of projects that are kept: others are made anew when somebody asks for them. */
  gitRepositories: 1_000,
  /** Parts of one project's repository that are kept, for tokens that may not read all of it. */
  gitParts: 16,
  /** Milliseconds that a client of Git may take for one request. */
  gitServeMs: 10 * 60_000,
  /** Clients of Git that are served at a time. */
  gitServes: 32,
  /** Clients of Git with one token that are served at a time. */
  gitServesPerToken: 8,
  /** Bytes that such a client may send in one request, unpacked. */
  gitRequestBytes: 32 * 1024 * 1024,
  /** Mirrors of which an engine remembers what it pushed there. */
  mirrorsKnown: 10_000,
  /** Milliseconds that one push to a mirror may take. */
  mirrorPushMs: 10 * 60_000,
  /** Milliseconds for which a mirror may take nothing. */
  mirrorStallMs: 30_000,
  /** Branches and tags that one failure of a mirror names. */
  mirrorNames: 10,
  /** Public keys of one mirror's host. */
  mirrorHostKeys: 10,
  /** Characters of what git says went wrong that are kept. */
  gitErrorLength: 2_000,
  /** Milliseconds that `SHUTDOWN_DELAY` may be at most. */
  shutdownDelayMaxMs: 5 * 60_000,
  /** Milliseconds that a shutdown may take before it is forced. */
  shutdownMs: 10_000,
  /** Milliseconds between two looks for connections that have fallen idle, while shutting down. */
  closingCheckMs: 20,

  /** Bytes of a request's target and of all its headers' names and values together. */
  headerBytes: 16 * 1024,
  /** Header lines of one request. */
  headers: 100,
  /** Milliseconds that a client may take for a request's headers. */
  headersMs: 10_000,
  /** Milliseconds that a client may take for a whole request: 64 MiB over a slow line. */
  requestMs: 120_000,
  /** Milliseconds between two looks for clients that are too slow. */
  slowCheckMs: 5_000,
  /** Milliseconds for which a connection under way may carry nothing: a reader that has stopped reading, a reply that does not come. */
  stalledMs: 300_000,
  /** Milliseconds that an idle connection stays open: longer than the minute of most load balancers. */
  keepAliveMs: 65_000,
  /** Milliseconds that it stays open after that, for a request that was on its way when its client was to give it up. */
  keepAliveLateMs: 5_000,
  /** Milliseconds that a client has to read why its request was refused, before its connection is cut. */
  refusedMs: 2_000,
  /** Connections at a time. */
  connections: 10_000,
  /** Entity tags of one If-Match or If-None-Match header that are looked at. */
  entityTags: 100,
  /** Faults that one reply names; there may be thousands. */
  faults: 20,
  /** Characters of a fault's path or message: both may hold names that the caller chose. */
  faultLength: 200,
  /** Characters of lines that a streamed reply gathers before it sends them. */
  linesLength: 16 * 1024,
  /** Replies of one token that are streamed at a time. */
  streamsPerToken: 100,
  /** Replies that are streamed at a time. */
  streams: 10_000,
  /** Requests of one token in a second, in the long run. */
  requestsPerSecondPerToken: 5_000,
  /** Requests from one address in a second, in the long run. */
  requestsPerSecondPerAddress: 10_000,
  /** Seconds after whose requests, at its rate, a token or an address has to wait, where it sends them all at once. */
  burstSeconds: 2,
  /** Requests without a valid token from one address in a second, in the long run. */
  refusedPerSecondPerAddress: 20,
  /** Requests without a valid token from one address at once, after a time without any. */
  refusedBurstPerAddress: 1_000,
  /** Tokens, or addresses, whose requests one rate limiter counts at a time. */
  rateKeys: 100_000,

  /** Characters of a JWT. */
  jwtLength: 16 * 1024,
  /** Bytes of an identity provider's discovery document. */
  discoveryBytes: 64 * 1024,
  /** Bytes of an identity provider's key set. */
  keySetBytes: 256 * 1024,
  /** Milliseconds that an identity provider may take to answer one request. */
  identityTimeoutMs: 5_000,
  /** Milliseconds after which an identity provider's keys are asked for again: how long a removed key may go on being used. */
  keySetFreshMs: 10 * 60_000,
  /** Milliseconds for which its keys are used while the identity provider is away. */
  keySetStaleMs: 60 * 60_000,
  /** Milliseconds between two looks for a key that is not known. */
  unknownKeyMs: 30_000,
  /** Milliseconds for which an identity provider that failed is left alone. */
  identityRetryMs: 10_000,
  /** Keys tried where a token does not say which one signed it. */
  keysTried: 16,
  /** Verified JWTs remembered. */
  verifiedTokens: 10_000,
  /** Seconds by which the clocks of the engine and of an identity provider may differ. */
  clockToleranceSeconds: 5,
  /** Characters of a person's name in a token. */
  identityNameLength: 256,
  /** Values that a role map names. */
  mappedRoles: 1_000,
  /** Patterns in one list of a role map. */
  mappedPatterns: 100,

  /** Milliseconds that a request to another server may take where it does not say. */
  outgoingMs: 10_000,
  /** Milliseconds that a request to another server may take at most. */
  outgoingMaxMs: 60_000,
  /** Milliseconds until a connection to another server stands, the look-up of its name included. */
  connectMs: 3_000,
  /** Milliseconds that a connection to another server is kept without use, where that one does not say. */
  outgoingKeepAliveMs: 4_000,
  /** Milliseconds that a connection to another server is kept without use at most. */
  outgoingKeepAliveMaxMs: 30_000,
  /** Bytes of the body of a request to another server. */
  outgoingBytes: 64 * 1024 * 1024,
  /** Bytes of all headers of a request to another server, names and values. */
  outgoingHeaderBytes: 16 * 1024,
  /** Bytes of all headers of another server's reply. */
  replyHeaderBytes: 16 * 1024,
  /** Bytes of the body of a sibling engine's reply, where the request does not say. */
  engineReplyBytes: 1024 * 1024,
  /** Bytes of the body of a reply from an address that a user gave, where the request does not say. */
  publicReplyBytes: 64 * 1024,
  /** Connections at a time to one sibling engine. */
  engineConnections: 16,
  /** Connections at a time to one address that a user gave. */
  publicConnections: 2,
  /** Requests to one server that wait for a connection. */
  waitingRequests: 256,
  /** Addresses of one name that are tried; all are checked. */
  addressesTried: 16,

  /** Names of one kind, and items of a list where it does not say how many, that a tool tells an assistant of. */
  mcpNames: 50,
  /** Characters of one name, message or reason that a tool quotes. */
  mcpQuoted: 1_000,
} as const;
