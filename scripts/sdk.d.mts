import type { Metafile } from "esbuild";

export function buildSdk(root: string, outdir: string): Promise<Metafile>;
