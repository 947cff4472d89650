import type { StreamState } from "@heliograph/client";
import type { Card, CardAction } from "./cards.ts";
import { el, icon } from "./dom.ts";
import { duration } from "./format.ts";

export interface ShellOptions {
  frameAll: () => void;
  toggleOverlay: () => void;
  act: (name: CardAction) => void;
  /** Where sessions are managed, if the page has told. */
  homeUrl: () => string | null;
}

const leaseWarningSeconds = 180;
const stageNames: Record<string, string> = { fetch: "Fetching", decode: "Reading", prepare: "Preparing" };

/** What part of the bar a stage fills. */
const stageSpans: Record<string, [from: number, to: number]> = { fetch: [0, 0.2], decode: [0.2, 0.6], prepare: [0.6, 1] };

const help: [string, string][] = [
  ["Drag, one finger, arrows", "Orbit"],
  ["Right or Shift drag, two fingers, Shift + arrows", "Pan"],
  ["Wheel, pinch, + and −", "Zoom"],
  ["Double-click", "Look at a point"],
  ["F", "Show everything"],
  ["I", "Statistics"],
];

const pillTexts: Record<StreamState["name"], [tone: string, text: string]> = {
  idle: ["off", "Not connected"],
  connecting: ["busy", "Connecting"],
  connected: ["live", "Live"],
  reconnecting: ["busy", "Reconnecting"],
  ended: ["off", "Ended"],
  failed: ["bad", "Not connected"],
};

/** The element's own document: picture, cards, tool bar. It shows what it is told and decides nothing. */
export class Shell {
  readonly stage: HTMLElement;
  readonly video = el("video", { part: "video", "aria-hidden": "true", disablepictureinpicture: true });
  readonly #lastPicture = el("canvas", { "aria-hidden": "true", hidden: true });
  readonly surface = el("div", {
    class: "surface",
    part: "surface",
    tabindex: "0",
    role: "application",
    "aria-label": "3D view. Arrow keys orbit, plus and minus zoom, F shows everything, I shows statistics.",
  });
  readonly #pill = el("div", { class: "pill glass", "data-tone": "off" });
  readonly #pillText = el("span");
  readonly #lease = el("span", { class: "lease" });
  readonly #center = el("div", { class: "center", "aria-live": "polite" });
  readonly #help: HTMLElement;
  readonly #progress: HTMLElement;
  readonly #progressText = el("span");
  readonly #progressValue = el("b");
  readonly #progressBar = el("i");
  readonly #buttons: Record<"frame" | "stats" | "help" | "full", HTMLButtonElement>;
  readonly #options: ShellOptions;
  #shown = "";

  constructor(options: ShellOptions) {
    this.#options = options;
    this.#pill.append(el("i"), el("slot", { name: "title" }), this.#pillText, this.#lease);
    this.#help = el(
      "div",
      { class: "help glass", hidden: true },
      el("dl", {}, ...help.flatMap(([keys, what]) => [el("dt", {}, keys), el("dd", {}, what)])),
    );
    this.#progress = el(
      "div",
      {
        class: "progress glass",
        role: "progressbar",
        "aria-label": "Loading the model",
        "aria-valuemin": "0",
        "aria-valuemax": "100",
        hidden: true,
      },
      el("div", {}, this.#progressText, this.#progressValue),
      el("div", { class: "bar" }, this.#progressBar),
    );
    this.#buttons = {
      frame: this.#button(
        "Show everything (F)",
        icon(
          "M4 9V5a1 1 0 0 1 1-1h4M15 4h4a1 1 0 0 1 1 1v4M20 15v4a1 1 0 0 1-1 1h-4M9 20H5a1 1 0 0 1-1-1v-4",
          "M9 12a3 3 0 1 0 6 0a3 3 0 1 0-6 0",
        ),
        options.frameAll,
      ),
      stats: this.#button("Statistics (I)", icon("M4 20V10M10 20V4M16 20v-7M21 20H3"), options.toggleOverlay),
      help: this.#button(
        "Help",
        icon("M9.2 9.3a2.9 2.9 0 1 1 4.2 2.6c-.9.5-1.4 1-1.4 2.1M12 17.4v.1", "M3 12a9 9 0 1 0 18 0a9 9 0 1 0-18 0"),
        () => this.#toggleHelp(),
      ),
      full: this.#button("Full screen", icon("M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7"), () => void this.#toggleFullscreen()),
    };
    this.#buttons.full.hidden = !document.fullscreenEnabled;
    this.#buttons.stats.setAttribute("aria-pressed", "false");
    this.#buttons.help.setAttribute("aria-expanded", "false");
    const toolbar = el("div", { class: "toolbar glass", role: "toolbar", "aria-label": "View" }, ...Object.values(this.#buttons));
    this.stage = el(
      "div",
      { class: "stage" },
      this.video,
      this.#lastPicture,
      this.surface,
      this.#pill,
      this.#help,
      this.#progress,
      toolbar,
      this.#center,
    );
  }

  /** Shows a state, and a card in the middle or none. */
  show(state: StreamState, card: Card | undefined): void {
    const [tone, text] = pillTexts[state.name];
    this.#pill.dataset.tone = tone;
    this.#pillText.textContent = state.name === "connecting" && state.phase === "starting" ? "Starting" : text;
    this.stage.classList.toggle("dimmed", state.name !== "connected");
    this.#buttons.frame.disabled = state.name !== "connected";
    if (state.name !== "connected") this.#lease.textContent = "";
    const key = JSON.stringify(card) ?? "";
    if (key === this.#shown) return; // the same card again would be read out again
    this.#shown = key;
    this.#center.replaceChildren(...(card ? [this.#card(card)] : []));
  }

  /** Keeps the video's present picture in view although the video ends; `false` shows the video again. */
  freeze(frozen: boolean): void {
    this.#lastPicture.hidden = !frozen;
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!frozen || width === 0) return;
    this.#lastPicture.width = width;
    this.#lastPicture.height = height;
    this.#lastPicture.getContext("2d")?.drawImage(this.video, 0, 0);
  }

  /** `done` is of the stage, 0..1. */
  showProgress(progress: { uri: string; done: number; stage: string } | undefined): void {
    this.#progress.hidden = !progress;
    if (!progress) return;
    const [from, to] = stageSpans[progress.stage] ?? [0, 1];
    const percent = Math.round((from + (to - from) * Math.min(Math.max(progress.done, 0), 1)) * 100);
    this.#progress.setAttribute("aria-valuenow", String(percent));
    this.#progressText.textContent = `${stageNames[progress.stage] ?? "Loading"} ${progress.uri.split("/").pop() || progress.uri}`;
    this.#progressValue.textContent = `${percent} %`;
    this.#progressBar.style.width = `${percent}%`;
  }

  showLease(endsAt: number | undefined): void {
    const left = endsAt === undefined ? Infinity : (endsAt - Date.now()) / 1000;
    this.#lease.textContent = left < leaseWarningSeconds ? `· ends in ${duration(left)}` : "";
  }

  showOverlayPressed(pressed: boolean): void {
    this.#buttons.stats.setAttribute("aria-pressed", String(pressed));
  }

  #card(card: Card): HTMLElement {
    const parts: Node[] = [el("h2", {}, card.title), el("p", {}, card.text)];
    if (card.kind === "busy") parts.unshift(el("div", { class: "spinner" }));
    const { action } = card;
    if (action) parts.push(el("button", { type: "button", onclick: () => this.#options.act(action.name) }, action.label));
    const home = card.leadsHome ? this.#options.homeUrl() : null;
    if (home) parts.push(el("a", { href: home }, "Open the dashboard"));
    return el("div", { class: `card ${card.kind}`, role: card.kind === "error" ? "alert" : "status" }, ...parts);
  }

  #button(label: string, picture: SVGElement, onclick: () => void): HTMLButtonElement {
    return el("button", { type: "button", title: label, "aria-label": label, onclick }, picture);
  }

  #toggleHelp(): void {
    this.#help.hidden = !this.#help.hidden;
    this.#buttons.help.setAttribute("aria-expanded", String(!this.#help.hidden));
  }

  async #toggleFullscreen(): Promise<void> {
    const host = (this.stage.getRootNode() as ShadowRoot).host;
    try {
      await (document.fullscreenElement ? document.exitFullscreen() : host.requestFullscreen());
    } catch {
      // the browser or the page does not allow it
    }
  }
}
