import { HeliographError, type RestClient } from "@heliograph/client";
import { el } from "@heliograph/viewer/dom";
import { conversionForm, type NewConversion } from "./conversion-form.ts";
import { conversionRow, type ConversionActions } from "./conversion-row.ts";
import { Conversions, type ConversionState } from "./conversions.ts";
import { logDialog } from "./dialogs.ts";
import { busy, errorText, reconcile } from "./parts.ts";

export interface ConversionsViewOptions {
  rest: RestClient;
  trouble: (error: HeliographError | undefined) => void;
  /** Creates a session, loads the asset and opens its viewer. */
  show: (uri: string) => Promise<void>;
}

/** The conversions of the account, alive until the signal aborts. They are not asked for while the view is hidden. */
export function conversionsView({ rest, trouble, show }: ConversionsViewOptions, signal: AbortSignal): HTMLElement {
  const conversions = new Conversions(rest);
  const notes = new Map<string, string>();
  const list = el("ul", { class: "sessions", "aria-label": "Conversions", "aria-busy": "true" });
  const empty = emptyState();

  const draw = () => {
    list.removeAttribute("aria-busy");
    empty.hidden = conversions.all.length > 0;
    reconcile(
      list,
      conversions.all,
      (c) => conversionRow(c, notes.get(c.id), actions),
      (c) => JSON.stringify([c, notes.get(c.id)]),
    );
  };
  const act = (conversion: ConversionState, button: HTMLButtonElement, failure: string, work: () => Promise<void>) => {
    notes.delete(conversion.id);
    busy(button, work)
      .catch((error: unknown) => notes.set(conversion.id, errorText(HeliographError.from(error, "server", failure))))
      .finally(() => {
        draw();
        conversions.refreshSoon();
      });
  };
  const actions: ConversionActions = {
    show: (c, button) => act(c, button, "The asset cannot be shown.", () => show(c.output!.outputAssetUri)),
    log: (c) => logDialog(c.id, (lines) => rest.conversionLog(c.id, lines)),
    cancel: (c, button) => act(c, button, "The conversion was not cancelled.", () => rest.cancelConversion(c.id)),
    forget: (c, button) => act(c, button, "The conversion was not forgotten.", () => rest.deleteConversion(c.id)),
  };
  const create = async ({ id, settings }: NewConversion) => {
    await rest.createConversion(id, settings, { signal });
    conversions.refreshSoon();
  };

  conversions.on("change", draw);
  conversions.on("trouble", trouble);
  const view = el(
    "main",
    { class: "columns", hidden: true },
    el("section", { "aria-labelledby": "conversions-title" }, el("h1", { id: "conversions-title" }, "Conversions"), empty, list),
    el("aside", {}, conversionForm(create)),
  );
  void conversions.run(signal, () => document.hidden || Boolean(view.hidden));
  view.addEventListener("show", () => conversions.refreshSoon());
  return view;
}

function emptyState(): HTMLElement {
  return el(
    "div",
    { class: "panel empty", hidden: true },
    el("h2", {}, "No conversion yet"),
    el(
      "p",
      { class: "muted" },
      "A conversion makes an asset of a model: glTF, FBX, OBJ, STL, PLY, E57, LAS, LAZ or XYZ. A session opens an asset at once, and draws it at a cost set by the screen, not by the model.",
    ),
    el("p", { class: "hint" }, "The same from a terminal, for a file of yours: ", el("code", {}, "heliograph convert engine.fbx")),
  );
}
