import { isIP, type LookupFunction } from "node:net";
import { buildConnector, Pool } from "undici";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { Deadline } from "./deadline.ts";
import { connectionFailure, exchangeFailure, unavailable } from "./failures.ts";
import type { Lookup } from "./lookup.ts";
import type { Message } from "./message.ts";
import { type OutgoingResponse, readReply } from "./reply.ts";
import { Turns } from "./turns.ts";

interface ChannelOptions {
  /** How messages name the other side. */
  readonly subject: string;
  /** Connections at a time. */
  readonly connections: number;
  /** Asked once for each connection, and not at all where the origin is an IP address. */
  readonly lookup: Lookup;
  readonly connectTimeoutMs?: number | undefined;
}

interface Bounds {
  /** Milliseconds from the call to the last byte of the reply, waiting for a connection included. */
  readonly timeoutMs: number;
  /** Bytes of the reply's body. */
  readonly maxResponseBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** The way to one origin, and to no other. Knows no redirects, proxies, cookies, compression or retries. */
export class Channel {
  readonly #subject: string;
  readonly #pool: Pool;
  readonly #turns: Turns;
  readonly #open = new Set<Deadline>();
  #closed = false;

  constructor(origin: string, options: ChannelOptions) {
    this.#subject = options.subject;
    this.#turns = new Turns(options.connections, LIMITS.waitingRequests, () =>
      unavailable("overloaded", this.#subject, "has too many requests waiting for it"),
    );
    this.#pool = new Pool(origin, {
      connect: connector(options),
      connections: options.connections,
      pipelining: 1,
      keepAliveTimeout: LIMITS.outgoingKeepAliveMs,
      keepAliveMaxTimeout: LIMITS.outgoingKeepAliveMaxMs,
      maxHeaderSize: LIMITS.replyHeaderBytes,
      // The deadline covers both, and undici's timers are coarse.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** @throws AppError `engine_unavailable` with a `Failure`, `shutting_down`, or what `lookup` throws */
  async send(message: Message, bounds: Bounds): Promise<OutgoingResponse> {
    if (this.#closed) throw new AppError("shutting_down");
    const deadline = this.#deadline(bounds);
    this.#open.add(deadline);
    try {
      await this.#turns.take(deadline.signal);
      // The turn ends when undici has let go of the request, so that nothing ever queues up inside of it.
      const exchange = this.#exchange(message, bounds, deadline.signal).finally(() => this.#turns.give());
      return await deadline.race(exchange);
    } catch (error) {
      throw exchangeFailure(deadline.signal.reason ?? error, this.#subject);
    } finally {
      this.#open.delete(deadline);
      deadline.clear();
    }
  }

  /** Ends every connection. What is under way, and what is asked later, is refused with `shutting_down`. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const deadline of this.#open) deadline.end(new AppError("shutting_down"));
    await this.#pool.destroy();
  }

  async #exchange(message: Message, bounds: Bounds, signal: AbortSignal): Promise<OutgoingResponse> {
    const reply = await this.#pool.request({ ...message, signal });
    return readReply(reply, bounds.maxResponseBytes, this.#subject);
  }

  #deadline({ timeoutMs, signal }: Bounds): Deadline {
    const late = () => unavailable("timeout", this.#subject, `did not answer within ${timeoutMs} ms`);
    const givenUp = (reason: unknown) =>
      reason instanceof AppError ? reason : unavailable("aborted", this.#subject, "was not waited for any longer");
    return new Deadline(timeoutMs, late, signal, givenUp);
  }
}

function connector({ subject, lookup, connectTimeoutMs = LIMITS.connectMs }: ChannelOptions): buildConnector.connector {
  const connect = buildConnector({
    lookup: answerOnce(lookup),
    autoSelectFamily: true,
    timeout: connectTimeoutMs,
    allowH2: false,
    // Said aloud, because NODE_TLS_REJECT_UNAUTHORIZED changes the default.
    rejectUnauthorized: true,
  });
  return (options, callback) =>
    connect(options, (...[error, socket]) => (error === null ? callback(null, socket) : callback(connectionFailure(error, subject), null)));
}

/** As `node:net` asks for it, once for each connection; it connects to what it is told here and resolves nothing itself. */
function answerOnce(lookup: Lookup): LookupFunction {
  return (host, { all }, callback) => {
    const answer = (addresses: readonly string[]) => {
      const usable = addresses.slice(0, LIMITS.addressesTried).map((address) => ({ address, family: isIP(address) }));
      const [first] = usable;
      if (first === undefined) callback(Object.assign(new Error("No addresses."), { code: "ENODATA" }), "");
      else if (all) callback(null, usable);
      else callback(null, first.address, first.family);
    };
    lookup(host).then(answer, (error: Error) => callback(error, ""));
  };
}
