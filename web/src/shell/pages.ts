/** The pages of a project, in the order in which they are offered. */
export const PROJECT_PAGES = [
  { path: "", name: "Pipeline" },
  { path: "compare", name: "Compare" },
  { path: "config", name: "Configuration" },
  { path: "state", name: "Platform" },
  { path: "previews", name: "Previews" },
  { path: "promotions", name: "Approvals" },
  { path: "history", name: "History" },
  { path: "settings", name: "Settings" },
] as const;
