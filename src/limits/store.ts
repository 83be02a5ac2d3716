/** Bounds on stores, and on what is written to them and kept in memory of them. */
export const STORE = {
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
  /** Attempts of one write that loses its races to other instances. */
  commitAttempts: 24,
  /** Races that one write loses and begins anew at once; after more of them it pauses. */
  commitAttemptsAtOnce: 3,
  /** Milliseconds of the longest pause between two of them. */
  commitPauseMs: 100,
  /** Looks for a commit whose answer was lost, before nobody knows what became of it. */
  readBackAttempts: 8,
  /** Milliseconds for which an instance whose turn it is at a project that others write too makes further commits, before it lets the next one go. */
  writeTurnMs: 50,
  /** Milliseconds that it waits for its turn; then it goes without. */
  writeTurnWaitMs: 1_000,
  /** Milliseconds after which a store takes a turn away from an engine that is still connected and does not end it. */
  writeTurnMaxMs: 5_000,
  /** Milliseconds for which two instances count as writing the same project, after one of them lost a race. */
  rivalryMs: 2_000,
  /** Projects of which that is known at a time. */
  rivalries: 10_000,
  /** Writers of one project that share one commit. */
  batchWriters: 64,
  /** Writers of one project that may wait, and writes that may wait to be sent to a store. */
  queuedWriters: 10_000,
  /** Reads that may wait to hear how new an answer has to be. */
  queuedReads: 10_000,
  /** Partitions whose newest revision is kept in memory, on a store that one engine has to itself. */
  cachedRevisions: 10_000,
  /** Projects of which is kept in memory what their newest commit read and wrote, on a store that one engine has to itself. */
  recentProjects: 1_000,
  /** Documents that such a commit may have read and written: of a larger one nothing is kept. */
  recentDocuments: 100,
  /** Bytes of JSON that they may have together: of a larger commit nothing is kept. */
  recentProjectBytes: 1024 * 1024,
  /** Bytes of JSON that are kept of all projects together; the least recently written go first. */
  recentBytes: 16 * 1024 * 1024,
  /** Heads of environments kept in memory. */
  cachedHeads: 10_000,
  /** Milliseconds that a read waits for the store before it is answered from memory, where that is allowed. */
  staleAfterMs: 1_000,
  /** Milliseconds for which a store counts as full after it refused a write for want of room, unless it takes one as large before. */
  fullToldMs: 60_000,
  /** Milliseconds that `STALE_READS` may allow at most: how long a revoked token may still read while the store is away. */
  staleMaxMs: 60 * 60_000,
  /** Partitions that a store remembers something of in memory: their number in the SQLite file, what was told of them. */
  cachedPartitions: 10_000,
  /**
   * Bytes of SQLite's write-ahead log, about, after which it is moved into the file. More would take longer; less would write the same few
   * pages, the ends of tables and indexes, more often.
   */
  checkpointBytes: 16 * 1024 * 1024,
  /** Pages of 4 KiB of it after which that happens in a commit, where it has not happened beside. */
  checkpointPages: 16_000,
  /** Names of members whose written form is kept in memory. */
  cachedNames: 2_000,
  /** UTF-16 units of the longest of them. */
  cachedNameLength: 64,
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
  /** Connections of one engine to each Redis server over which it reads and commits. */
  redisWriters: 4,
  /** Reads that may wait for a connection to PostgreSQL. */
  waitingReads: 10_000,
  /** Connections of one engine to PostgreSQL that commit at the same time. */
  postgresWriters: 4,
  /** Connections of one engine to PostgreSQL that hold turns: projects in which it takes turns with others at a time. */
  postgresTurns: 4,
  /** Connections of one engine to PostgreSQL that read, where `pool_size` says nothing else. */
  postgresReaders: 6,
  /** Milliseconds for one statement to be answered by PostgreSQL, where `statement_timeout` says nothing else. */
  postgresStatementMs: 15_000,
  /** Milliseconds for a connection to PostgreSQL to be made, where `connect_timeout` says nothing else. */
  postgresConnectMs: 5_000,
  /** Milliseconds for the connection to PostgreSQL that listens to hear what another one told: it takes one or two. */
  postgresHearMs: 5_000,
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
  /** Groups of commits that may be on their way to the thread that writes SQLite: those that wait there share one transaction. */
  sqliteGroups: 64,
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
  /** Looks at a source that is written to all the time, until its copy is given up as not exact. */
  copyRounds: 20,
  /** Documents or objects that are copied from one store to another in one step. */
  copyBatch: 500,
  /** Faults that one check of a store tells in full. */
  integrityFaults: 1_000,
  /** Bytes of decoded Merkle nodes and values kept in memory. */
  objectCacheBytes: 64 * 1024 * 1024,
  /** Milliseconds for which objects that nobody asks for are kept in memory, where others come. */
  cacheIdleMs: 5 * 60_000,
  /** Milliseconds that a start waits for a database file that another engine still holds. */
  storeLockMs: 2_000,
} as const;
