import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { Express, Request, RequestHandler, Response } from "express";
import { SOME } from "../access.ts";
import { may } from "../callers.ts";
import type { Domain } from "../domain.ts";
import { AppError } from "../errors.ts";
import type { GitReader, GitReading } from "../git-reading.ts";
import { LIMITS } from "../limits.ts";
import type { Caller } from "../model.ts";
import { quoted } from "../names.ts";
import { traced } from "../tracing.ts";
import { projectNotFound } from "../transaction.ts";
import type { Gate } from "./auth.ts";
import type { Metrics } from "./metrics.ts";
import { requestIdOf } from "./mount.ts";
import { holdStream, Streams } from "./streams.ts";

interface GitServices {
  readonly domain: Pick<Domain, "refusals">;
  readonly gate: Gate;
  readonly metrics: Metrics;
  readonly reader: GitReader;
}

type Operation = "advertiseRepository" | "fetchRepository" | "pushToRepository";
type Answer = (request: Request, response: Response, caller: Caller, project: string) => Promise<void>;

/**
 * Git's smart protocol over HTTP (https://git-scm.com/docs/http-protocol), for reading: `git clone http://<engine>/git/<project>`, with
 * a token as the password. A request is judged as those of all routes are; what is said then is between the client and git.
 */
export function mountGit(app: Express, { domain, gate, metrics, reader }: GitServices): void {
  const serves = new Streams({ streams: LIMITS.gitServes, streamsPerToken: LIMITS.gitServesPerToken });

  const serve = (operation: Operation, path: string, answer: Answer): RequestHandler => {
    return (request, response) =>
      traced({ name: `${request.method} ${path}`, kind: "server", from: request.headers, attributes: about(operation) }, async (tell) => {
        metrics.follow(operation, response);
        const caller = await gate.admit(request, requestIdOf(response));
        const project = String(request.params.project).replace(/\.git$/, "");
        try {
          if (!may(caller, "read", project, SOME)) throw projectNotFound(project);
          holdStream(response, serves.open(caller.token));
          response.setHeader("cache-control", "no-store");
          await answer(request, response, caller, project);
        } catch (error) {
          if (error instanceof AppError && error.code === "forbidden") {
            domain.refusals.note(caller, { action: "access_refused", what: operation, details: { operation } });
          }
          throw error;
        }
        tell({ "http.response.status_code": response.statusCode });
      });
  };

  /** Ends with the client: nobody makes or packs what nobody waits for. */
  const reading = async (response: Response, caller: Caller, project: string): Promise<GitReading & { readonly gone: AbortSignal }> => {
    const gone = new AbortController();
    holdStream(response, () => gone.abort());
    const found = await reader.open(project, (env) => may(caller, "read", project, env), gone.signal);
    return { ...found, gone: gone.signal };
  };

  const advertise: Answer = async (request, response, caller, project) => {
    const service = request.query.service;
    if (service === "git-receive-pack") throw readOnly(project);
    if (service !== "git-upload-pack") {
      throw new AppError("invalid_request", {
        reason: "Repositories are read by Git's smart protocol alone.",
        fix: `Use git 1.6.6 or newer: git clone http://<engine>/git/${project}`,
      });
    }
    const { refs, gone } = await reading(response, caller, project);
    const protocol = protocolOf(request);
    const git = refs(protocol, gone);
    git.input.end();
    response.setHeader("content-type", "application/x-git-upload-pack-advertisement");
    // The second version of the protocol begins without it.
    if (protocol !== "version=2") response.write("001e# service=git-upload-pack\n0000");
    await sent(git, response);
  };

  const fetch: Answer = async (request, response, caller, project) => {
    if (request.headers["content-type"] !== "application/x-git-upload-pack-request") {
      throw new AppError("unsupported_media_type", { reason: "This is no request of a client of Git.", fix: "Use git." });
    }
    const coding = request.headers["content-encoding"] ?? "identity";
    if (coding !== "gzip" && coding !== "x-gzip" && coding !== "identity") {
      throw new AppError("unsupported_media_type", {
        reason: "The request's content coding is not known.",
        fix: "Send it as it is, or with gzip.",
      });
    }
    const { pack, gone } = await reading(response, caller, project);
    const git = pack(protocolOf(request), gone);
    response.setHeader("content-type", "application/x-git-upload-pack-result");
    const unpacked = coding === "identity" ? [] : [createGunzip()];
    const fed = pipeline([request, ...unpacked, bounded(LIMITS.gitRequestBytes), git.input]).then(
      () => null,
      (error: unknown) => {
        // A git that has said what it had to say reads no further.
        const fault = error instanceof AppError ? error : isZlib(error) ? broken() : null;
        if (fault !== null) git.stop();
        return fault;
      },
    );
    await sent(git, response, fed);
  };

  const refuse: Answer = async (_request, _response, _caller, project) => {
    throw readOnly(project);
  };

  const paths = { info: "/git/:project/info/refs", fetch: "/git/:project/git-upload-pack", push: "/git/:project/git-receive-pack" };
  app.get(paths.info, serve("advertiseRepository", paths.info, advertise));
  app.post(paths.fetch, serve("fetchRepository", paths.fetch, fetch));
  app.post(paths.push, serve("pushToRepository", paths.push, refuse));
  app.all([paths.info, paths.fetch, paths.push], async (request, response) => {
    await gate.admit(request, requestIdOf(response));
    throw new AppError("method_not_allowed", { details: { allow: request.path.endsWith("/info/refs") ? ["GET", "HEAD"] : ["POST"] } });
  });
}

/** Passes on what git writes. It ends its messages itself, so that a client sees where one breaks off. */
async function sent(
  git: ReturnType<GitReading["refs"]>,
  response: Response,
  fed: Promise<AppError | null> = Promise.resolve(null),
): Promise<void> {
  await pipeline(git.output, response, { end: false }).catch(() => git.stop());
  const failure = await git.ended.then(
    () => null,
    (error: unknown) => error,
  );
  const fault = await fed;
  if (!response.headersSent && (fault ?? failure) !== null) throw fault ?? broken();
  response.end();
}

function bounded(limit: number): Transform {
  let size = 0;
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      size += piece.length;
      if (size <= limit) done(null, piece);
      else done(new AppError("too_large", { reason: `A request of a client of Git has at most ${limit} bytes.`, fix: "Clone anew." }));
    },
  });
}

/** The version of the protocol that the client speaks; what else it may say there is not for git's environment. */
function protocolOf(request: Request): string {
  const header = request.headers["git-protocol"];
  return typeof header === "string" && /^version=[0-2]$/.test(header) ? header : "";
}

function readOnly(project: string): AppError {
  return new AppError("forbidden", {
    reason: `The repository of ${quoted(project)} is read-only: it shows what was changed, and nothing is changed by a push to it.`,
    fix: "Change an environment through envm, the API or the dashboard; each change becomes a commit here.",
  });
}

function broken(): AppError {
  return new AppError("invalid_request", { reason: "git cannot make sense of this request.", fix: "Use a current version of git." });
}

function isZlib(error: unknown): boolean {
  return String((error as NodeJS.ErrnoException).code).startsWith("Z_");
}

function about(operation: Operation) {
  return { "envm.operation": operation };
}
