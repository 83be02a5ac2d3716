export const THREADS: readonly string[];
export function buildThreads(root: string, outdir: string): Promise<void>;
