import { HeliographError, type SessionSettings, type SessionSize } from "@heliograph/client";
import { el } from "@heliograph/viewer/dom";
import { suggestId } from "./names.ts";
import { busy, errorText } from "./parts.ts";

export interface NewSession extends SessionSettings {
  id: string;
  /** Load the sample model as soon as the session is ready. */
  sample: boolean;
}

/** The form that leases a session. `create` rejects with what the service says. */
export function createForm(create: (session: NewSession) => Promise<void>): HTMLFormElement {
  const id = el("input", {
    name: "id",
    required: true,
    maxlength: "256",
    pattern: "[A-Za-z0-9_\\-]+",
    title: "Letters, digits, - and _",
    spellcheck: "false",
    autocomplete: "off",
  });
  const size = el("select", { name: "size" }, el("option", {}, "Standard"), el("option", {}, "Premium"));
  const lease = el("input", { name: "lease", type: "number", min: "1", max: "1440", required: true });
  const sample = el("input", { name: "sample", type: "checkbox" });
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const button = el("button", { class: "primary", type: "submit", "data-action": "create" }, "Create session");
  id.value = suggestId();
  lease.value = "30";
  sample.checked = true;
  const submit = async () => {
    problem.hidden = true;
    try {
      await busy(button, () =>
        create({ id: id.value, size: size.value as SessionSize, maxLeaseTimeMinutes: Number(lease.value), sample: sample.checked }),
      );
      id.value = suggestId();
    } catch (error) {
      problem.textContent = errorText(HeliographError.from(error, "server", "The session was not created."));
      problem.hidden = false;
    }
  };
  return el(
    "form",
    {
      class: "panel create",
      onsubmit: (event) => {
        event.preventDefault();
        void submit();
      },
    },
    el("h2", {}, "New session"),
    el("label", {}, "Id", id),
    el("div", { class: "pair" }, el("label", {}, "Size", size), el("label", {}, "Lease, minutes", lease)),
    el(
      "label",
      { class: "check" },
      sample,
      el("span", {}, "Load the sample engine", el("small", {}, "A million triangles to look at. Without it the scene is empty.")),
    ),
    problem,
    button,
  );
}
