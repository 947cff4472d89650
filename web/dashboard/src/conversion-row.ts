import { el } from "@heliograph/viewer/dom";
import { hasEnded, type ConversionState } from "./conversions.ts";
import { actionButton, when } from "./parts.ts";

export interface ConversionActions {
  show: (conversion: ConversionState, button: HTMLButtonElement) => void;
  log: (conversion: ConversionState) => void;
  cancel: (conversion: ConversionState, button: HTMLButtonElement) => void;
  forget: (conversion: ConversionState, button: HTMLButtonElement) => void;
}

/** One conversion. */
export function conversionRow(conversion: ConversionState, note: string | undefined, actions: ConversionActions): HTMLElement {
  const { id, status, settings, error, output } = conversion;
  const button = (label: string, action: string, run: (button: HTMLButtonElement) => void, className = "") =>
    actionButton(label, id, action, run, className);
  const buttons = hasEnded(conversion)
    ? [
        ...(output ? [button("Show", "show", (b) => actions.show(conversion, b), "primary")] : []),
        button("Log", "log", () => actions.log(conversion)),
        button("Forget", "forget", (b) => actions.forget(conversion, b)),
      ]
    : [
        button("Log", "log", () => actions.log(conversion)),
        button("Cancel", "cancel", (b) => actions.cancel(conversion, b), "quiet-danger"),
      ];
  const explanation = note ?? error?.message;
  return el(
    "li",
    { class: `session ${badgeClass[status]}`, "data-session": id },
    el(
      "div",
      { class: "head" },
      el("h3", {}, settings.inputLocation.relativeInputAssetPath),
      el("span", { class: "badge" }, statusText[status]),
    ),
    el("p", { class: "facts" }, ...[id, `created ${when(conversion.creationTime)}`].map((fact) => el("span", {}, fact))),
    ...(hasEnded(conversion) ? [] : [progressBar(conversion)]),
    ...(output ? [el("p", { class: "muted" }, el("code", {}, output.outputAssetUri))] : []),
    ...(explanation ? [el("p", { class: "problem" }, explanation)] : []),
    el("div", { class: "buttons" }, ...buttons),
  );
}

const statusText = { NotStarted: "Waiting", Running: "Running", Succeeded: "Succeeded", Failed: "Failed" } as const;
const badgeClass = { NotStarted: "starting", Running: "starting", Succeeded: "ready", Failed: "error" } as const;

function progressBar({ progress }: ConversionState): HTMLElement {
  const meter = el("progress", { max: "1", "aria-label": "Progress" });
  if (progress?.status === "Running") meter.value = progress.done;
  return el("div", { class: "lease" }, meter, el("span", {}, progressText(progress)));
}

/** How far it is, in words: "geometry, 42 %, 1:07 left". */
export function progressText(progress: ConversionState["progress"]): string {
  if (!progress) return "Waiting";
  if (progress.status === "NotStarted") return progress.ahead ? `Waiting for ${progress.ahead} others` : "Starting";
  const percent = `${progress.stage}, ${Math.floor(progress.done * 100)} %`;
  if (progress.done < 0.05 || progress.elapsedSeconds < 3) return percent;
  const left = Math.round((progress.elapsedSeconds * (1 - progress.done)) / progress.done);
  return `${percent}, ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} left`;
}
