import autocannon from "autocannon";

export interface LoadRequest {
  readonly method: "GET" | "POST" | "PATCH";
  readonly path: string;
  readonly body?: object;
}

interface Load {
  /** Connections that stay open; each sends its next request when it has the answer to the last. */
  readonly clients: number;
  readonly amount: number;
  /** The `n`th request, from 0. */
  readonly request: (n: number) => LoadRequest;
  /** Sent with each request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Where the milliseconds of each request are put. */
  readonly times?: number[];
}

/** Sends so many requests and answers how many milliseconds one took, all clients together. Throws unless all were answered with 2xx. */
export async function load(url: string, { clients, amount, request, headers = {}, times }: Load): Promise<number> {
  let n = 0;
  const setupRequest = (sent: autocannon.Request): autocannon.Request => {
    const { method, path, body } = request(n++);
    if (body === undefined) return { ...sent, method, path, headers };
    return { ...sent, method, path, body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers } };
  };
  const start = performance.now();
  // When the last answer came: the run itself ends only at the next full second.
  let last = start;
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const options = { url, connections: clients, amount, requests: [{ setupRequest }] };
    const run = autocannon(options, (error: Error | null, done) => (error === null ? resolve(done) : reject(error)));
    run.on("response", (_client, _status, _bytes, milliseconds) => {
      last = performance.now();
      times?.push(milliseconds);
    });
  });
  if (result["2xx"] !== amount) throw new Error(`${amount - result["2xx"]} of ${amount} requests were not answered with 2xx`);
  return (last - start) / amount;
}
