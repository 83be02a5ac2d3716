import type { ComponentType } from "react";
import { createBrowserRouter } from "react-router";
import { Loading } from "./components/States.tsx";
import { Lost } from "./pages/Lost.tsx";
import { ProjectShell } from "./shell/ProjectShell.tsx";
import { Shell } from "./shell/Shell.tsx";

/**
 * Pages are loaded when somebody goes there, so that the first one is there quickly. By the router: below a `<Suspense>` that shows
 * something meanwhile React keeps each page back for 300 ms, and what the page reads is asked for that much later.
 */
function page(load: () => Promise<{ readonly default: ComponentType }>) {
  return async () => ({ Component: (await load()).default });
}

const whileLoading = {
  errorElement: <Lost />,
  hydrateFallbackElement: <Loading what="the dashboard" onRetry={() => window.location.reload()} />,
};

export const router = createBrowserRouter([
  { path: "/login", lazy: page(() => import("./pages/Login.tsx")), ...whileLoading },
  {
    element: <Shell />,
    ...whileLoading,
    children: [
      { path: "/", lazy: page(() => import("./pages/Projects.tsx")) },
      { path: "/settings", lazy: page(() => import("./pages/Engine.tsx")) },
      {
        path: "/projects/:project",
        element: <ProjectShell />,
        children: [
          { index: true, lazy: page(() => import("./pages/Pipeline.tsx")) },
          { path: "env/:env", lazy: page(() => import("./pages/EnvironmentPage.tsx")) },
          { path: "env/:env/rollback", lazy: page(() => import("./pages/Rollback.tsx")) },
          { path: "promote", lazy: page(() => import("./pages/Promote.tsx")) },
          { path: "promotions", lazy: page(() => import("./pages/Promotions.tsx")) },
          { path: "promotions/:id", lazy: page(() => import("./pages/PromotionPage.tsx")) },
          { path: "compare", lazy: page(() => import("./pages/Compare.tsx")) },
          { path: "config", lazy: page(() => import("./pages/Configuration.tsx")) },
          { path: "state", lazy: page(() => import("./pages/State.tsx")) },
          { path: "previews", lazy: page(() => import("./pages/Previews.tsx")) },
          { path: "history", lazy: page(() => import("./pages/History.tsx")) },
          { path: "settings", lazy: page(() => import("./pages/ProjectSettings.tsx")) },
        ],
      },
      { path: "*", element: <Lost /> },
    ],
  },
]);
