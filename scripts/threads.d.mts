export const THREADS: readonly string[];
export const SQLITE_DRIVERS: string[];
export const REQUIRE: string;
export function buildThreads(root: string, outdir: string): Promise<void>;
