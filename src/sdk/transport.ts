import { BOUNDS } from "./bounds.ts";
import { EnvmError, invalidCall } from "./errors.ts";

export type Fetch = (input: string, init: RequestInit) => Promise<Response>;
/** A token, or what finds the one to use now. */
export type TokenSource = string | (() => string | Promise<string>);

export interface TransportOptions {
  /** Where the engine is: `https://envm.example.com`, or below a path where a proxy puts it. */
  readonly url: string | URL;
  readonly token?: TokenSource | undefined;
  /** In place of the platform's. */
  readonly fetch?: Fetch | undefined;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface Sent {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly signal: AbortSignal;
}

/** Sends one request once. What comes back is the engine's answer, whatever its status; what does not come back is an `EnvmError`. */
export class Transport {
  /** Origin and path, without a slash at the end. */
  readonly base: string;
  readonly #token: TokenSource | undefined;
  readonly #fetch: Fetch;
  readonly #headers: Readonly<Record<string, string>>;

  /** @throws invalid_call for an address or headers that no request can be sent with */
  constructor({ url, token, fetch = globalThis.fetch.bind(globalThis), headers = {} }: TransportOptions) {
    this.base = checkedUrl(url);
    this.#token = token;
    this.#fetch = fetch;
    this.#headers = checkedHeaders(headers);
  }

  async send({ target, signal, ...init }: Sent): Promise<Response> {
    const token = await tokenOf(this.#token);
    const authorization: Record<string, string> = token === "" ? {} : { authorization: `Bearer ${checkedToken(token)}` };
    const headers = { accept: "application/json", ...this.#headers, ...authorization, ...init.headers };
    try {
      // A redirect would send the request, and what it holds, to an address that nobody gave.
      return await this.#fetch(this.base + target, { ...init, headers, signal, redirect: "manual" });
    } catch (error) {
      throw this.failure(error, signal);
    }
  }

  /** The whole of an answer. @throws EnvmError where it breaks off */
  async text(response: Response, signal: AbortSignal): Promise<string> {
    try {
      return await response.text();
    } catch (error) {
      throw this.failure(error, signal, { hasBegun: true });
    }
  }

  /** Why no answer came, or, where it had begun, why it broke off. */
  failure(error: unknown, signal: AbortSignal, { hasBegun = false } = {}): EnvmError {
    if (error instanceof EnvmError) return error;
    if (signal.aborted) {
      const { reason } = signal;
      return reason instanceof EnvmError ? reason : new EnvmError("aborted", { reason: "The request was aborted.", cause: reason });
    }
    const code = codeOf(error);
    const why = code === null ? "" : ` (${code})`;
    if (code !== null && CERTIFICATE.test(code)) {
      return new EnvmError("connection_failed", {
        reason: `The certificate at ${this.base} is not trusted${why}.`,
        fix: "Start this program with NODE_EXTRA_CA_CERTS naming a file with the certificate of the authority that signed it. Where it is for another name, or has expired, that has to be mended at the proxy.",
        cause: error,
      });
    }
    const isCut = hasBegun || (code !== null && CUT.has(code));
    const cut = hasBegun
      ? `The answer of the engine at ${this.base} broke off in the middle${why}.`
      : `The connection to the engine at ${this.base} ended without an answer${why}.`;
    return new EnvmError("connection_failed", {
      reason: isCut ? cut : `The engine at ${this.base} cannot be reached${why}.`,
      fix: isCut
        ? "Try again. If it happens again, look at the engine's log, and at what stands between here and it."
        : "Check the address, and whether the engine runs.",
      cause: error,
    });
  }
}

/** What the system says of a connection that was there, and ended. */
const CUT: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);

/** What OpenSSL and Node say of a certificate. */
const CERTIFICATE = /CERT|^UNABLE_TO_VERIFY_LEAF_SIGNATURE$/;

/** The token to use now; empty where there is none. @throws token_unavailable */
export async function tokenOf(source: TokenSource = ""): Promise<string> {
  if (typeof source !== "function") return source;
  try {
    return await source();
  } catch (cause) {
    throw new EnvmError("token_unavailable", { reason: "The token could not be found.", fix: "Mend the function that finds it.", cause });
  }
}

/** Aborts with the caller's signal, or with `timeout` after so long. */
export class Deadline {
  readonly signal: AbortSignal;
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(ms: number, outer: AbortSignal | undefined) {
    const timeout = new AbortController();
    this.signal = outer === undefined ? timeout.signal : AbortSignal.any([timeout.signal, outer]);
    this.#timer = setTimeout(() => timeout.abort(timedOut(ms)), Math.min(ms, BOUNDS.timerMs));
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

function timedOut(ms: number): EnvmError {
  return new EnvmError("timeout", {
    reason: `The engine did not answer within ${ms} ms.`,
    fix: "Try again, or allow more with `timeoutMs`.",
  });
}

/** What the system says of a connection: `ECONNREFUSED`, `ENOTFOUND`, … */
function codeOf(error: unknown): string | null {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    if ("code" in at && typeof at.code === "string" && /^[A-Z][A-Z_]+$/.test(at.code)) return at.code;
  }
  return null;
}

function checkedUrl(given: string | URL): string {
  const url = URL.canParse(String(given)) ? new URL(String(given)) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "") {
    throw invalidCall("`url` is not the address of an engine.", "Give one like https://envm.example.com.");
  }
  if (url.username !== "" || url.password !== "") {
    throw invalidCall("`url` holds a user's name or password.", "Leave it out: the engine is shown `token`.");
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

/** Checked here, since what the platform says of a header that it does not take shows it. */
function checkedHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  for (const [name, value] of entries) {
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw invalidCall(`The header \`${name}\` cannot be sent.`, "Give a name and a value that HTTP takes, in one line.");
    }
  }
  return Object.freeze(Object.fromEntries(entries));
}

function checkedToken(token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw invalidCall(
    "The token is not one: it holds spaces, line ends or other characters that no token has.",
    "Give it exactly as it was shown.",
  );
}
