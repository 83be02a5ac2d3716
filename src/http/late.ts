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
    // Whose body went wrong meanwhile was answered.
    const unlessAnswered = (act: () => void) => {
      if (!response.headersSent) act();
    };
    loaded().then(
      (listener) => unlessAnswered(() => listener(request, response)),
      (error: unknown) => unlessAnswered(() => failed(error, request, response)),
    );
  };
}
