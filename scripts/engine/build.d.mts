export function buildEngine(root: string, outdir: string): Promise<{ readonly bundle: string; readonly trouble: string | null }>;
