/** A git that is asked something: what it reads, what it writes, and how it ends. */
export interface GitTalk {
  readonly input: NodeJS.WritableStream;
  readonly output: NodeJS.ReadableStream;
  readonly ended: Promise<void>;
  stop(): void;
}

/** A project's Git repository, up to date, as somebody may read it. `protocol`: what a client said of the version that it speaks. */
export interface GitReading {
  refs(protocol: string, signal: AbortSignal): GitTalk;
  pack(protocol: string, signal: AbortSignal): GitTalk;
}

export interface GitReader {
  /** `mayRead` is asked of environments, and of `*` for all that there are and will be. @throws project_not_found, forbidden, git_unavailable */
  open(project: string, mayRead: (env: string) => boolean, signal: AbortSignal): Promise<GitReading>;
}
