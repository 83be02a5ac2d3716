import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { packageRoot } from "../../src/settings.ts";
import { exposedNames } from "../http/exposed.ts";

const read = (file: string) => readFileSync(join(packageRoot(), "docs/operations", file), "utf8");
/** Names of metrics in an expression: what is neither a function nor a label. */
const METRIC = /\b(?:environment_manager|process|nodejs)_[a-z0-9_]+\b/g;

function named(text: string): readonly string[] {
  return [...new Set(text.match(METRIC) ?? [])];
}

describe("what is there to watch the engine with", () => {
  test("every metric that the dashboard and the alerts name is one that the engine has", async () => {
    const exposed = await exposedNames();
    for (const file of ["grafana.json", "alerts.yaml"]) {
      const names = named(read(file));
      expect(names.length, file).toBeGreaterThan(5);
      for (const name of names) expect(exposed, `${file}: ${name}`).toContain(name);
    }
  });

  test("every metric of the engine's own is told of, and no other", async () => {
    const exposed = (await exposedNames()).filter((name) => name.startsWith("environment_manager_"));
    const families = new Set(exposed.map((name) => name.replace(/_(?:bucket|sum|count)$/, "")));
    const told = named(read("monitoring.md")).filter((name) => name.startsWith("environment_manager_"));
    expect([...told].sort()).toEqual([...families].sort());
  });

  test("the dashboard has a data source to choose, and panels that say what they show", () => {
    const { panels, templating } = JSON.parse(read("grafana.json")) as {
      readonly panels: readonly {
        readonly title: string;
        readonly description: string;
        readonly targets: readonly { readonly expr: string }[];
      }[];
      readonly templating: { readonly list: readonly { readonly name: string }[] };
    };
    expect(templating.list.map(({ name }) => name)).toEqual(["datasource", "job"]);
    expect(panels.length).toBeGreaterThanOrEqual(10);
    for (const { title, description, targets } of panels) {
      expect(description, title).toMatch(/\S/);
      for (const { expr } of targets) expect(expr, title).toContain('job="$job"');
    }
  });

  test("every alert says what is wrong, how bad that is, and what to do", () => {
    const { groups } = parse(read("alerts.yaml")) as {
      readonly groups: readonly {
        readonly rules: readonly {
          readonly alert: string;
          readonly expr: string;
          readonly labels: { readonly severity: string };
          readonly annotations: { readonly summary: string; readonly description: string };
        }[];
      }[];
    };
    const rules = groups.flatMap((group) => group.rules);
    expect(rules.length).toBeGreaterThanOrEqual(6);
    for (const { alert, expr, labels, annotations } of rules) {
      expect(alert).toMatch(/^EnvironmentManager[A-Z]/);
      expect(named(expr).length, alert).toBeGreaterThan(0);
      expect(["critical", "warning"]).toContain(labels.severity);
      expect(annotations.summary).toMatch(/\S/);
      expect(annotations.description).toMatch(/\S/);
    }
  });
});
