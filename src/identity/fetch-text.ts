/** How a request goes out: the part of `fetch` that is used here. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchAnswer>;

interface FetchInit {
  readonly headers: Readonly<Record<string, string>>;
  /** A redirect is an answer like any other: it is never followed. */
  readonly redirect: "manual";
  /** Ends the request, and the reading of its answer. */
  readonly signal: AbortSignal;
}

interface FetchAnswer {
  readonly status: number;
  readonly body: AsyncIterable<Uint8Array> | null;
}

interface Bounds {
  readonly bytes: number;
  /** For the whole of it, until the last byte was read. */
  readonly timeoutMs: number;
}

/** The text that a URL answers with. @throws Error, whose message names the URL, for any answer but a complete 200 within the bounds */
export async function fetchText(fetch: Fetch, url: string, bounds: Bounds): Promise<string> {
  // Whatever happens, nothing of an answer is left unread on an open connection.
  const done = new AbortController();
  const signal = AbortSignal.any([done.signal, AbortSignal.timeout(bounds.timeoutMs)]);
  try {
    const { status, body } = await fetch(url, { headers: { accept: "application/json" }, redirect: "manual", signal });
    if (status !== 200) throw new Error(`it answered ${status}${status >= 300 && status < 400 ? ", and redirects are not followed" : ""}`);
    return decode(await readAll(body, bounds.bytes));
  } catch (error) {
    throw new Error(`${url}: ${why(error, bounds)}.`, { cause: error });
  } finally {
    done.abort();
  }
}

async function readAll(body: AsyncIterable<Uint8Array> | null, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > limit) throw new Error(`its answer has more than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new Error("its answer is not UTF-8 text", { cause: error });
  }
}

/** `fetch` says what went wrong in the cause of its error alone. */
function why(error: unknown, { timeoutMs }: Bounds): string {
  if (!(error instanceof Error)) return "the request failed";
  if (error.name === "TimeoutError") return `it did not answer within ${timeoutMs} ms`;
  if (!(error.cause instanceof Error)) return error.message;
  const { code, message } = error.cause as NodeJS.ErrnoException;
  return `${error.message} (${code ?? message})`;
}
