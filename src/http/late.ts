import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

/** Answers a request whose listener could not be had. */
type Failed = (error: unknown, request: IncomingMessage, response: ServerResponse) => void;

/**
 * A listener that is not there yet. `load` is called with the first request, and again where it failed; requests wait for it, each in its
 * turn.
 */
export function lateListener(load: () => Promise<RequestListener>, failed: Failed): RequestListener {
  let ready: RequestListener | undefined;
  let loading: Promise<RequestListener> | undefined;
  const loaded = async () => {
    try {
      loading ??= load();
      ready = await loading;
      return ready;
    } catch (error) {
      loading = undefined;
      throw error;
    }
  };
  return (request, response) => {
    if (ready !== undefined) {
      ready(request, response);
      return;
    }
    // Whose body went wrong meanwhile was answered; who left asks again perhaps, and is not to be served twice.
    const unlessOver = (act: () => void) => {
      if (!response.headersSent && !response.destroyed) act();
    };
    loaded().then(
      (listener) => unlessOver(() => listener(request, response)),
      (error: unknown) => unlessOver(() => failed(error, request, response)),
    );
  };
}
