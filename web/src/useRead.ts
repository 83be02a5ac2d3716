import { hashKey, type QueryKey, type UseQueryOptions, type UseQueryResult, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { faultOf } from "./faults.ts";
import { useLiveness } from "./live/Live.tsx";

type Reading<Data> = Pick<UseQueryResult<Data>, "data" | "dataUpdatedAt" | "error" | "isPending" | "isSuccess" | "refetch">;

/** What a page has of something that it reads: nothing yet, why there is nothing, or what it is. */
type Read<Data> = { refetch(): Promise<unknown> } & (
  | { readonly isPending: true; readonly isError: false; readonly isSuccess: false; readonly data: undefined; readonly error: null }
  | { readonly isPending: false; readonly isError: true; readonly isSuccess: false; readonly data: Data | undefined; readonly error: Error }
  | { readonly isPending: false; readonly isError: false; readonly isSuccess: true; readonly data: Data; readonly error: null }
);

/** While there is no answer yet. */
export const PENDING = { isPending: true, isError: false, isSuccess: false, data: undefined, error: null } as const;

/** Reads something for a page, calmly: see `useCalm`. */
export function useRead<Answer, Data = Answer, Key extends QueryKey = QueryKey>(
  options: UseQueryOptions<Answer, Error, Data, Key>,
): Read<Data> {
  return useCalm(options.queryKey, useQuery(options));
}

/**
 * What a page of a project shows stays while it cannot be read again: `Staleness` says so above all of it. And what failed goes on saying
 * so while it is tried again by itself, in place of coming and going, and being read out each time.
 */
export function useCalm<Data>(key: QueryKey, { data, dataUpdatedAt, error, isPending, isSuccess, refetch }: Reading<Data>): Read<Data> {
  const name = hashKey(key);
  const [failure, setFailure] = useState<{ readonly name: string; readonly error: Error } | null>(null);
  if (error !== null && failure?.error !== error) setFailure({ name, error });
  if (isSuccess && failure !== null) setFailure(null);
  const again = () => {
    // Whoever asks for it sees that it is tried.
    setFailure(null);
    return refetch();
  };
  const isOfProject = useLiveness() !== null;
  const { kind } = faultOf(error);
  // Whose session ended sees nothing of it until they are back; but a form in it is to be there then.
  const isKept = dataUpdatedAt > 0 && (kind === "signed-out" || (kind === "away" && isOfProject));
  // Of some things it is the answer that there is none.
  if (isSuccess || isKept) return { isPending: false, isError: false, isSuccess: true, data: data as Data, error: null, refetch: again };
  const lasting = error ?? (isPending && failure?.name === name ? failure.error : null);
  if (lasting === null) return { ...PENDING, refetch: again };
  return { isPending: false, isError: true, isSuccess: false, data, error: lasting, refetch: again };
}
