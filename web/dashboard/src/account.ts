import { takeFragment } from "./fragment.ts";

export interface Account {
  id: string;
  key: string;
}

const storageKey = "heliograph.account";

/** The account of `#account=…&key=…`, else the one this tab signed in with before. */
export function restoreAccount(): Account | undefined {
  const given = takeFragment();
  const id = given.get("account");
  const key = given.get("key");
  if (id && key) return { id, key };
  try {
    const stored = JSON.parse(sessionStorage.getItem(storageKey) ?? "null") as Partial<Account> | null;
    return stored?.id && stored.key ? { id: stored.id, key: stored.key } : undefined;
  } catch {
    return undefined;
  }
}

/** Remembers the account until the tab closes. */
export function rememberAccount(account: Account | undefined): void {
  if (account) sessionStorage.setItem(storageKey, JSON.stringify(account));
  else sessionStorage.removeItem(storageKey);
}
