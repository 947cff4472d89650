/**
 * Takes the parameters out of the page's fragment (`#name=value&…`) and leaves only `keep` there: a key or a token must
 * not stay in the address bar, the history, or a bookmark.
 */
export function takeFragment(keep: readonly string[] = []): Map<string, string> {
  const given = new URLSearchParams(location.hash.slice(1));
  const kept = new URLSearchParams([...given].filter(([name]) => keep.includes(name))).toString();
  if (location.hash) history.replaceState(null, "", location.pathname + location.search + (kept ? `#${kept}` : ""));
  return new Map(given);
}
