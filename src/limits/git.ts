/** Bounds on repositories. */
export const GIT = {
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
  /** Pulls by hand for which the engine fetches a branch at a time, each of another project. */
  gitPullsByHand: 8,
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
  /** Bytes of memory that git may take at once for what it unpacks of a repository elsewhere: a few bytes on the way may stand for any number. */
  gitObjectBytes: 256 * 1024 * 1024,
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
} as const;
