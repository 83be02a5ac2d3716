import { type ComponentType, lazy } from "react";
import { createBrowserRouter } from "react-router";
import { Lost } from "./pages/Lost.tsx";
import { ProjectShell } from "./shell/ProjectShell.tsx";
import { Shell } from "./shell/Shell.tsx";

/** Pages are loaded when somebody goes there, so that the first one is there quickly. */
function page(load: () => Promise<{ readonly default: ComponentType }>) {
  const Page = lazy(load);
  return <Page />;
}

export const router = createBrowserRouter([
  { path: "/login", element: page(() => import("./pages/Login.tsx")), errorElement: <Lost /> },
  {
    element: <Shell />,
    errorElement: <Lost />,
    children: [
      { path: "/", element: page(() => import("./pages/Projects.tsx")) },
      { path: "/settings", element: page(() => import("./pages/Engine.tsx")) },
      {
        path: "/projects/:project",
        element: <ProjectShell />,
        children: [
          { index: true, element: page(() => import("./pages/Pipeline.tsx")) },
          { path: "env/:env", element: page(() => import("./pages/EnvironmentPage.tsx")) },
          { path: "env/:env/rollback", element: page(() => import("./pages/Rollback.tsx")) },
          { path: "promote", element: page(() => import("./pages/Promote.tsx")) },
          { path: "promotions", element: page(() => import("./pages/Promotions.tsx")) },
          { path: "promotions/:id", element: page(() => import("./pages/PromotionPage.tsx")) },
          { path: "compare", element: page(() => import("./pages/Compare.tsx")) },
          { path: "config", element: page(() => import("./pages/Configuration.tsx")) },
          { path: "state", element: page(() => import("./pages/State.tsx")) },
          { path: "previews", element: page(() => import("./pages/Previews.tsx")) },
          { path: "history", element: page(() => import("./pages/History.tsx")) },
          { path: "settings", element: page(() => import("./pages/ProjectSettings.tsx")) },
        ],
      },
      { path: "*", element: <Lost /> },
    ],
  },
]);
