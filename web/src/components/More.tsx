import { useSearchParams } from "react-router";
import { LinkButton } from "./Button.tsx";
import { focusTitle } from "./focus.ts";

/** The way to older entries and back; where one is stands in the address. */
export function More({ cursor }: { readonly cursor: string | null | undefined }) {
  const [query] = useSearchParams();
  const at = (next: string | null) => {
    const params = new URLSearchParams(query);
    if (next === null) params.delete("cursor");
    else params.set("cursor", next);
    return `?${params}`;
  };
  const isFirst = !query.has("cursor");
  if (isFirst && (cursor === null || cursor === undefined)) return null;
  return (
    <nav aria-label="Pages" className="row">
      {!isFirst && (
        <LinkButton to={at(null)} onClick={focusTitle}>
          Newest
        </LinkButton>
      )}
      {cursor !== null && cursor !== undefined && (
        <LinkButton to={at(cursor)} onClick={focusTitle}>
          Older
        </LinkButton>
      )}
    </nav>
  );
}
