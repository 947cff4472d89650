import type { ErrorReason, HeliographError, StreamState } from "@heliograph/client";

export type CardAction = "retry" | "takeover" | "sample" | "dismiss";

/** What a person is told in the middle of the view. */
export interface Card {
  kind: "busy" | "info" | "error";
  title: string;
  text: string;
  action?: { label: string; name: CardAction };
  /** The person has to go to the dashboard. */
  leadsHome?: boolean;
}

const advice: Record<ErrorReason, string> = {
  unauthorized: "The link to this session is no longer valid. Open the session again from the dashboard.",
  "not-found": "There is no such session. It may have been removed; see the dashboard for those that exist.",
  invalid: "The server does not understand this viewer. Reload the page; if that does not help, their versions differ.",
  conflict: "The server refused because of the session's present state. Try again in a moment.",
  busy: "A session has one viewer at a time. Taking over disconnects the other one.",
  replaced: "A session has one viewer at a time.",
  worker: "The worker cannot serve this viewer. Its log in the dashboard may say why.",
  "not-ready": "The session is not ready to be viewed yet. Try again in a moment.",
  ended: "Create a new session in the dashboard.",
  "rate-limited": "Too many requests were made with this account. Wait a moment, then try again.",
  server: "The server had a problem. Its log may say more; try again in a moment.",
  network: "Check that the server runs and that this device is online, then try again.",
  media: "Signalling works, but the video does not come through: a firewall may block the session's port (UDP and TCP).",
  unsupported: "Use a current Chromium, Firefox or Safari with WebRTC and H.264 or VP8.",
  aborted: "Try again.",
};

const endings = {
  stopped: { title: "Session stopped", what: "The session was stopped.", advice: "Create a new one in the dashboard to go on." },
  expired: {
    title: "Lease expired",
    what: "The session's lease has run out.",
    advice: "Create a new one in the dashboard; leases can be extended while they run.",
  },
  error: { title: "Session failed", what: "The render worker ended unexpectedly.", advice: "Its log in the dashboard may say why." },
  unknown: { title: "Session ended", what: "The session is over.", advice: "Create a new one in the dashboard to go on." },
} as const;

/** What a connected viewer knows of its scene. */
export interface SceneFacts {
  pictureShown: boolean;
  empty: boolean;
  loading: boolean;
  loadError: HeliographError | undefined;
}

/** The card for a state, or undefined when nothing is in the way of the picture. */
export function cardFor(state: StreamState, scene: SceneFacts): Card | undefined {
  switch (state.name) {
    case "idle":
      return {
        kind: "info",
        title: "Not connected",
        text: "This viewer was opened without a session and a token for it.",
        leadsHome: true,
      };
    case "connecting":
      return state.phase === "starting"
        ? { kind: "busy", title: "Starting", text: "A render worker is starting for this session." }
        : { kind: "busy", title: "Connecting", text: "Setting up the stream." };
    case "reconnecting":
      return { kind: "busy", title: "Reconnecting", text: `${state.error.message} Attempt ${state.attempt}.` };
    case "ended": {
      const { title, what, advice: next } = endings[state.reason];
      return { kind: state.reason === "error" ? "error" : "info", title, text: `${state.message || what} ${next}`, leadsHome: true };
    }
    case "failed":
      return {
        kind: "error",
        title: titleOf(state.error.reason),
        text: `${state.error.message} ${advice[state.error.reason]}`,
        action: takeable(state.error.reason) ? { label: "Take over", name: "takeover" } : { label: "Try again", name: "retry" },
        leadsHome: true,
      };
    case "connected":
      if (scene.loadError) {
        const action: Card["action"] = scene.empty
          ? { label: "Load the sample engine", name: "sample" }
          : { label: "Close", name: "dismiss" };
        return { kind: "error", title: "The model was not loaded", text: scene.loadError.message, action };
      }
      if (scene.empty && !scene.loading) {
        return {
          kind: "info",
          title: "Nothing loaded",
          text: "The session runs, but its scene is empty. Load a model with the command line or the REST API, or look at the sample.",
          action: { label: "Load the sample engine", name: "sample" },
        };
      }
      return scene.pictureShown ? undefined : { kind: "busy", title: "Connected", text: "Waiting for the first picture." };
  }
}

function takeable(reason: ErrorReason): boolean {
  return reason === "busy" || reason === "replaced";
}

function titleOf(reason: ErrorReason): string {
  switch (reason) {
    case "unauthorized":
      return "Not allowed";
    case "not-found":
      return "Session not found";
    case "busy":
    case "replaced":
      return "Another viewer is connected";
    case "unsupported":
      return "This browser cannot show the stream";
    default:
      return "Cannot connect";
  }
}
