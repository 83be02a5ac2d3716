import type { Script } from "node:vm";

export function load(folder: string, name: string): unknown;
export function compile(folder: string, name: string, cachedData?: Buffer): Script;
export function evaluate(script: Script, path: string, require: NodeJS.Require): unknown;
export function cachePath(path: string): string;
export function sealed(data: Buffer): Buffer;
