import { CSPProvider } from "@base-ui/react/csp-provider";
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router";
import { Announcer } from "./components/Announcer.tsx";
import { faultOf, isSignedOut } from "./faults.ts";
import { sessionQuery } from "./queries.ts";
import { router } from "./routes.tsx";
import { applyTheme } from "./shell/theme.ts";
import "./styles/tokens.css";
import "./styles/base.css";

applyTheme();

/** Whatever is refused for want of a session tells that it ended. */
function noticeEnd(error: unknown): void {
  if (isSignedOut(error)) void queries.invalidateQueries(sessionQuery);
}

const queries = new QueryClient({
  queryCache: new QueryCache({ onError: (error, { queryKey }) => queryKey[0] !== sessionQuery.queryKey[0] && noticeEnd(error) }),
  mutationCache: new MutationCache({ onError: noticeEnd }),
  defaultOptions: {
    queries: {
      // The stream says when something changed; this is for what it does not tell of.
      staleTime: 10_000,
      // The client tries again what may be tried again.
      retry: false,
      // While the engine is away, what is shown is asked for until it is back.
      refetchInterval: ({ state }) => (state.error !== null && faultOf(state.error).kind === "away" ? 3_000 : false),
    },
  },
});

const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      {/* Styles come from files alone: the content security policy lets no others in. */}
      <CSPProvider disableStyleElements>
        <QueryClientProvider client={queries}>
          <Announcer>
            <RouterProvider router={router} />
          </Announcer>
        </QueryClientProvider>
      </CSPProvider>
    </StrictMode>,
  );
}
