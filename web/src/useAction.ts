import { type UseMutationOptions, type UseMutationResult, useMutation } from "@tanstack/react-query";
import { useRef } from "react";

type Action<Data, Variables> = UseMutationResult<Data, Error, Variables> & {
  /** Does it, unless it is being done: a second click comes before the page has shown the first. */
  readonly act: (variables: Variables) => void;
};

/** Something that changes the world when somebody presses a button, once however often they press. */
export function useAction<Data, Variables = void>(options: UseMutationOptions<Data, Error, Variables>): Action<Data, Variables> {
  const running = useRef(false);
  const mutation = useMutation(options);
  const act = (variables: Variables) => {
    if (running.current) return;
    running.current = true;
    mutation.mutate(variables, {
      onSettled: () => {
        running.current = false;
      },
    });
  };
  return { ...mutation, act };
}
