import * as Plot from "@observablehq/plot";
import { Window } from "happy-dom";
import type { Curve, Latency, Row } from "../measure.ts";
import { significant } from "../measure.ts";
import type { SoakWindow } from "../soak/windows.ts";

/** The pictures of `docs/benchmarks.md`, as SVG. They stand on white, so that they can be read on a dark page too. */

const WIDTH = 860;
const LINE = 44;
const OURS = "#2f6fdb";
const THEIRS = "#8a8a8a";
const GOAL = "#c2410c";

type Options = Plot.PlotOptions;

function svg(title: string, options: Options): string {
  const { document } = new Window();
  const drawn = Plot.plot({ document: document as never, width: WIDTH, ariaLabel: title, ...options });
  drawn.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  drawn.setAttribute("style", "background: white; color: #222; font-size: 12px");
  return `${drawn.outerHTML}\n`;
}

/** How often in a second either side does the same work. */
export function sideBySide(rows: readonly Row[]): string {
  const data = rows.flatMap((row) => (row.sides === null ? [] : [{ ...row, sides: row.sides, label: `${row.work}: ${row.baseline}` }]));
  const labels = data.map((row) => row.label);
  return svg("How often in a second either side does the same work", {
    height: data.length * LINE + 70,
    marginLeft: 20,
    marginRight: 90,
    x: { type: "log", label: "times a second →", grid: true, tickFormat: "~s" },
    y: { domain: labels, axis: null, padding: 0.6 },
    marks: [
      Plot.link(data, {
        x1: (row) => 1_000 / row.sides.baseline,
        x2: (row) => 1_000 / row.sides.subject,
        y1: "label",
        y2: "label",
        stroke: "#bbb",
        strokeWidth: 2,
      }),
      Plot.dot(data, { x: (row) => 1_000 / row.sides.baseline, y: "label", fill: THEIRS, r: 5 }),
      Plot.dot(data, { x: (row) => 1_000 / row.sides.subject, y: "label", fill: OURS, r: 6 }),
      Plot.text(data, { y: "label", text: "label", frameAnchor: "left", textAnchor: "start", dy: -15, dx: 2 }),
      Plot.text(data, { y: "label", text: ratioOf, frameAnchor: "right", textAnchor: "start", dx: 8, fill: OURS }),
    ],
  });
}

/** `1.96×` of `1.96× (1.92–1.98)`. */
function ratioOf({ figure }: Row): string {
  return figure.split(" ")[0] ?? figure;
}

interface Goaled {
  readonly label: string;
  readonly low: number;
  readonly middle: number;
  readonly high: number;
  readonly goal: number | null;
}

/** Ratios with their spread and their goals. */
export function ratios(rows: readonly Row[]): string {
  const data: Goaled[] = rows
    .filter((row) => row.sides !== null && row.runs.length > 1)
    .map((row) => {
      const sorted = [...row.runs].sort((a, b) => a - b);
      const goal = Number(/[\d.,]+/.exec(row.goal)?.[0]?.replaceAll(",", "") ?? Number.NaN);
      return {
        label: `${row.work}: ${row.subject} | ${row.baseline}`,
        low: sorted[0] ?? Number.NaN,
        middle: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN,
        high: sorted.at(-1) ?? Number.NaN,
        goal: Number.isNaN(goal) ? null : goal,
      };
    });
  return svg("Ratios to the baseline, with spread and goal", {
    height: data.length * LINE + 70,
    marginLeft: 20,
    marginRight: 60,
    x: { type: "log", label: "× the baseline (mark: goal) →", grid: true },
    y: { domain: data.map(({ label }) => label), axis: null, padding: 0.6 },
    marks: [
      Plot.ruleX([1], { stroke: "#999" }),
      Plot.link(data, { x1: "low", x2: "high", y1: "label", y2: "label", stroke: OURS, strokeOpacity: 0.4, strokeWidth: 6 }),
      Plot.dot(data, { x: "middle", y: "label", fill: OURS, r: 6 }),
      Plot.tickX(
        data.filter(({ goal }) => goal !== null),
        { x: "goal", y: "label", stroke: GOAL, strokeWidth: 3, insetTop: -4, insetBottom: -4 },
      ),
      Plot.text(data, { y: "label", text: "label", frameAnchor: "left", textAnchor: "start", dy: -15, dx: 2 }),
      Plot.text(data, {
        y: "label",
        text: ({ middle }: Goaled) => `${significant(middle)}×`,
        frameAnchor: "right",
        textAnchor: "start",
        dx: 8,
        fill: OURS,
      }),
    ],
  });
}

/** Milliseconds of single requests: half of them within the thick line, 98 of 100 within the thin one. */
export function latencies(all: readonly Latency[]): string {
  const data = all.map(({ of, percentiles }) => ({
    of,
    p1: percentiles["1"],
    p25: percentiles["25"],
    p50: percentiles["50"],
    p75: percentiles["75"],
    p99: percentiles["99"],
    p999: percentiles["99.9"],
  }));
  return svg("How long single requests take", {
    height: data.length * LINE + 70,
    marginLeft: 20,
    marginRight: 110,
    x: { type: "log", label: "ms (dot: median, ring: 99 of 100, tick: 999 of 1,000) →", grid: true },
    y: { domain: data.map(({ of }) => of), axis: null, padding: 0.6 },
    marks: [
      Plot.link(data, { x1: "p1", x2: "p99", y1: "of", y2: "of", stroke: OURS, strokeWidth: 2 }),
      Plot.link(data, { x1: "p25", x2: "p75", y1: "of", y2: "of", stroke: OURS, strokeOpacity: 0.5, strokeWidth: 10 }),
      Plot.dot(data, { x: "p50", y: "of", fill: "white", stroke: OURS, strokeWidth: 2, r: 4 }),
      Plot.dot(data, { x: "p99", y: "of", fill: "white", stroke: GOAL, strokeWidth: 2, r: 4 }),
      Plot.tickX(data, { x: "p999", y: "of", stroke: GOAL, insetTop: 3, insetBottom: 3 }),
      Plot.text(data, { y: "of", text: "of", frameAnchor: "left", textAnchor: "start", dy: -15, dx: 2 }),
      Plot.text(data, {
        y: "of",
        text: ({ p50 = 0, p99 = 0 }) => `${significant(p50)} / ${significant(p99)} ms`,
        frameAnchor: "right",
        textAnchor: "start",
        dx: 8,
      }),
    ],
  });
}

const COLUMNS = 3;

/** One small picture for each operation: what it takes where there are more and more, and, dashed, what it takes with the fewest. */
export function curves(rows: readonly (Row & { readonly curve: Curve })[]): string {
  const place = (index: number) => ({ fx: index % COLUMNS, fy: Math.floor(index / COLUMNS) });
  const titles = rows.map((row, index) => ({ ...place(index), title: row.work.split(", ")[0] ?? row.work }));
  const points = rows.flatMap((row, index) => row.curve.points.map(({ n, ms, smallestMs }) => ({ ...place(index), n, ms, smallestMs })));
  const facets = { fx: "fx", fy: "fy" } as const;
  return svg(`What operations take where there are more ${rows[0]?.curve.over ?? ""}`, {
    height: Math.ceil(rows.length / COLUMNS) * 190 + 40,
    marginLeft: 50,
    marginTop: 30,
    x: { type: "log", label: `${rows[0]?.curve.over ?? ""} →`, tickFormat: "~s", ticks: 4 },
    y: { type: "log", label: "↑ ms", grid: true, tickFormat: "~g", ticks: 4 },
    fx: { axis: null, padding: 0.15 },
    fy: { axis: null, padding: 0.25 },
    marks: [
      Plot.frame({ stroke: "#ddd" }),
      Plot.lineY(points, { ...facets, x: "n", y: "smallestMs", stroke: THEIRS, strokeDasharray: "4,3" }),
      Plot.lineY(points, { ...facets, x: "n", y: "ms", stroke: OURS, strokeWidth: 2 }),
      Plot.dot(points, { ...facets, x: "n", y: "ms", fill: OURS, r: 3.5 }),
      Plot.text(titles, { ...facets, text: "title", frameAnchor: "top", dy: -12 }),
    ],
  });
}

/** Memory, and the slowest requests, window by window. */
export function soak(windows: readonly SoakWindow[]): string {
  const megabytes = windows.flatMap(({ minute, rssMb, heapMb }) => [
    { minute, value: rssMb, of: "memory of the process (MB)", line: "resident" },
    { minute, value: heapMb, of: "memory of the process (MB)", line: "heap" },
  ]);
  const times = windows.flatMap(({ minute, p50, p99, loopDelayP99 }) => [
    { minute, value: p50, of: "requests (ms)", line: "median" },
    { minute, value: p99, of: "requests (ms)", line: "99 of 100" },
    { minute, value: loopDelayP99, of: "requests (ms)", line: "event loop late, 99 of 100" },
  ]);
  const draw = (data: readonly { readonly minute: number; readonly value: number; readonly line: string }[], label: string) => ({
    height: 240,
    marginRight: 170,
    marginLeft: 55,
    x: { label: "minutes →" },
    y: { label: `↑ ${label}`, grid: true, zero: true },
    color: { range: [OURS, GOAL, THEIRS] },
    marks: [
      Plot.lineY(data, { x: "minute", y: "value", stroke: "line", strokeWidth: 2 }),
      Plot.text(data, Plot.selectLast({ x: "minute", y: "value", z: "line", text: "line", fill: "line", textAnchor: "start", dx: 6 })),
    ],
  });
  return stacked([svg("Memory over time", draw(megabytes, "MB")), svg("Times over time", draw(times, "ms"))]);
}

/** One picture above another. */
function stacked(pictures: readonly string[]): string {
  const heightOf = (picture: string) => Number(/ height="(\d+)"/.exec(picture)?.[1] ?? 0);
  let y = 0;
  const placed = pictures.map((picture) => {
    const at = y;
    y += heightOf(picture);
    return picture.replace("<svg ", `<svg y="${at}" `);
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}">\n${placed.join("")}</svg>\n`;
}
