import { HeliographError, type ConversionSettings } from "@heliograph/client";
import { el } from "@heliograph/viewer/dom";
import { suggestId } from "./names.ts";
import { busy, errorText } from "./parts.ts";

export interface NewConversion {
  id: string;
  settings: ConversionSettings;
}

/** The form that starts a conversion. `create` rejects with what the service says. */
export function conversionForm(create: (conversion: NewConversion) => Promise<void>): HTMLFormElement {
  const text = (name: string, placeholder: string, required = false) =>
    el("input", { name, placeholder, required, spellcheck: "false", autocomplete: "off" });
  const secret = (name: string) =>
    el("input", { name, type: "password", placeholder: "sv=…&sig=…", spellcheck: "false", autocomplete: "off" });
  const input = text("input", "https://account.blob.core.windows.net/models", true);
  const path = text("path", "engine/engine.fbx", true);
  const inputSas = secret("input-sas");
  const output = text("output", "the same container");
  const outputSas = secret("output-sas");
  const prefix = text("prefix", "converted");
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const button = el("button", { class: "primary", type: "submit", "data-action": "convert" }, "Convert");

  const settings = (): ConversionSettings => {
    // The files beside the model are its textures: its folder is what is fetched.
    const slash = path.value.lastIndexOf("/");
    return {
      inputLocation: {
        storageContainerUri: input.value.trim(),
        relativeInputAssetPath: path.value.slice(slash + 1).trim(),
        ...(slash > 0 ? { blobPrefix: path.value.slice(0, slash).trim() } : {}),
        ...(inputSas.value ? { storageContainerReadListSas: inputSas.value.trim() } : {}),
      },
      outputLocation: {
        storageContainerUri: output.value.trim() || input.value.trim(),
        ...(prefix.value.trim() ? { blobPrefix: prefix.value.trim() } : {}),
        ...(outputSas.value || (!output.value.trim() && inputSas.value)
          ? { storageContainerWriteSas: (outputSas.value || inputSas.value).trim() }
          : {}),
      },
    };
  };
  const submit = async () => {
    problem.hidden = true;
    try {
      await busy(button, () => create({ id: suggestId(), settings: settings() }));
    } catch (error) {
      problem.textContent = errorText(HeliographError.from(error, "server", "The conversion was not started."));
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
    el("h2", {}, "New conversion"),
    el("label", {}, "Container", input),
    el("label", {}, "Model in it", path),
    el("label", {}, "Signature to read (SAS)", inputSas),
    el("label", {}, "Output container", output),
    el("label", {}, "Output folder", prefix),
    el("label", {}, "Signature to write (SAS)", outputSas),
    el("p", { class: "hint" }, "Containers that the operator linked need no signature. Also: s3://, gs:// and file:/// of the service."),
    problem,
    button,
  );
}
