import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { packageRoot } from "../../src/package.ts";
import { exposedNames, metricsText } from "../http/exposed.ts";

const read = (file: string) => readFileSync(join(packageRoot(), "docs/operations", file), "utf8");
/** Names of metrics in an expression: what is neither a function nor a label. `up` is Prometheus' own: whether it could ask. */
const METRIC = /\b(?:(?:environment_manager|process|nodejs)_[a-z0-9_]+|up(?=\{))\b/g;
/** What Prometheus gives every series. */
const GIVEN = ["job", "instance"];

function named(text: string): readonly string[] {
  return [...new Set(text.match(METRIC) ?? [])];
}

/** The names in `{a="1",b=~"2"}`. */
function labelsIn(text: string): readonly string[] {
  return [...text.matchAll(/[{,]([a-z_]+)(?:=~?|!=|!~)"/g)].map(([, label]) => label ?? "");
}

function expressionsOf(file: "grafana.json" | "alerts.yaml"): readonly string[] {
  const found = parse(read(file)) as {
    readonly panels?: readonly { readonly targets: readonly { readonly expr: string }[] }[];
    readonly groups?: readonly { readonly rules: readonly { readonly expr: string }[] }[];
  };
  return [...(found.panels ?? []).flatMap(({ targets }) => targets), ...(found.groups ?? []).flatMap(({ rules }) => rules)].map(
    ({ expr }) => expr,
  );
}

describe("what is there to watch the engine with", () => {
  test("every metric that the dashboard and the alerts name is one that the engine has", async () => {
    const exposed = await exposedNames();
    for (const file of ["grafana.json", "alerts.yaml"]) {
      const names = named(read(file));
      expect(names.length, file).toBeGreaterThan(5);
      for (const name of names) if (name !== "up") expect(exposed, `${file}: ${name}`).toContain(name);
    }
  });

  test("every label that they choose or group by is one that the metric has", async () => {
    const lines = (await metricsText()).split("\n");
    const labelsOf = (name: string) => lines.filter((line) => line.startsWith(`${name}{`)).flatMap(labelsIn);
    for (const expr of [...expressionsOf("grafana.json"), ...expressionsOf("alerts.yaml")]) {
      const names = named(expr);
      const chosen = [...expr.matchAll(/\{([^}]*)\}/g)].flatMap(([, inside = ""]) => labelsIn(`{${inside}}`));
      const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, inside = ""]) => inside.split(/, */));
      for (const label of [...chosen, ...grouped]) expect([...GIVEN, ...names.flatMap(labelsOf)], `${expr}: ${label}`).toContain(label);
    }
  });

  test("an engine that is gone says nothing itself: an alert goes by Prometheus' own word", () => {
    expect(expressionsOf("alerts.yaml").filter((expr) => /^up\{job=.*\} == 0$/.test(expr))).toHaveLength(1);
  });

  test("what waits for news because it was asked to is no slow read", () => {
    const ofReads = expressionsOf("grafana.json").filter((expr) => expr.includes("get.*"));
    expect(ofReads).toHaveLength(2);
    for (const expr of ofReads) expect(expr).toContain('operation!="getActive"');
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
