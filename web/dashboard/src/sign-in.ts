import { HeliographError } from "@heliograph/client";
import { el } from "@heliograph/viewer/dom";
import type { Account } from "./account.ts";
import { busy, errorText, logo } from "./parts.ts";

export interface SignInOptions {
  signIn: (account: Account) => Promise<void>;
  account?: Account;
  failure?: HeliographError;
}

export function signInPage(options: SignInOptions): HTMLElement {
  const id = el("input", {
    name: "account",
    autocomplete: "username",
    required: true,
    spellcheck: "false",
    placeholder: "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
  });
  const key = el("input", { name: "key", type: "password", autocomplete: "current-password", required: true });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const button = el("button", { class: "primary", type: "submit" }, "Sign in");
  const fail = (error: HeliographError) => {
    problem.textContent = errorText(error);
    problem.hidden = false;
  };
  id.value = options.account?.id ?? "";
  if (options.failure) fail(options.failure);
  const submit = async () => {
    problem.hidden = true;
    try {
      await busy(button, () => options.signIn({ id: id.value.trim(), key: key.value.trim() }));
    } catch (error) {
      fail(HeliographError.from(error, "server", "Signing in failed."));
      key.select();
    }
  };
  return el(
    "main",
    { class: "sign-in" },
    el(
      "form",
      {
        class: "panel",
        onsubmit: (event) => {
          event.preventDefault();
          void submit();
        },
      },
      el("div", { class: "brand large" }, logo(), "Heliograph"),
      el("p", { class: "muted" }, "Sign in with an account of this service to lease rendering sessions and look at them."),
      el("label", {}, "Account id", id),
      el("label", {}, "Account key", key),
      problem,
      button,
      el(
        "p",
        { class: "hint" },
        "Where are they? ",
        el("code", {}, "heliograph serve --dev"),
        " prints both with a link that signs in. Otherwise ask whoever runs the service: ",
        el("code", {}, "heliograph account list"),
        ".",
      ),
    ),
  );
}
