import {
  attachVideo,
  HeliographError,
  RestClient,
  Stream,
  type LoadProgress,
  type SceneInfo,
  type StreamState,
  type StreamStats,
  type Vec3,
} from "@heliograph/client";
import { OrbitCamera, type Bounds } from "./camera.ts";
import { cardFor, type CardAction } from "./cards.ts";
import { Controls } from "./controls.ts";
import { Motion } from "./motion.ts";
import { Overlay, type OverlayFacts } from "./overlay.ts";
import { Shell } from "./shell.ts";
import { styles } from "./styles.ts";
import { viewportSize } from "./viewport.ts";

const sampleModel = "builtin://engine";
const viewportDelayMs = 120;
/** Progress that stands still for so long belongs to a load whose end was not told to this viewer. */
const progressSilenceMs = 10_000;
const emptyGraceMs = 800;

export interface ViewerEventMap {
  statechange: CustomEvent<StreamState>;
  stats: CustomEvent<StreamStats>;
  sceneinfo: CustomEvent<SceneInfo>;
}

/**
 * `<heliograph-viewer>` looks at a session. Attributes: `endpoint` (origin of the control plane, default: the page's),
 * `account`, `session`, `token` (an account's or a viewer's), `max-pixels` (upper limit of the picture's area, default
 * 1920 x 1080), `home` (URL of the dashboard, for those whose session is over). It connects when it is in a document and
 * has all it needs, and starts anew when one of them changes.
 *
 * Events: `statechange`, `stats` (once a second), `sceneinfo`; each carries its subject in `detail`.
 */
export class HeliographViewer extends HTMLElement {
  static readonly observedAttributes = ["endpoint", "account", "session", "token", "max-pixels"];

  readonly #shell = new Shell({
    frameAll: () => this.frameAll(),
    toggleOverlay: () => this.toggleOverlay(),
    act: (name) => this.#act(name),
    homeUrl: () => this.getAttribute("home"),
  });
  readonly #overlay = new Overlay();
  readonly #camera = new OrbitCamera();
  readonly #motion = new Motion(this.#camera, {
    onChange: () => this.#sendPose(),
    nextFrame: (callback) => requestAnimationFrame(callback),
    reduced: () => matchMedia("(prefers-reduced-motion: reduce)").matches,
  });
  #connected: AbortController | undefined; // while in a document
  #session: AbortController | undefined; // while there is a stream
  #stream: Stream | undefined;
  #restart = false;
  #viewportTimer: ReturnType<typeof setTimeout> | undefined;
  #progressTimer: ReturnType<typeof setTimeout> | undefined;

  #scene: SceneInfo | undefined;
  #pictureShown = false;
  #progress: Progress | undefined;
  #loadError: HeliographError | undefined;
  #arriving = false; // a model is loaded, but the first frame with it has not been announced
  #emptyConfirmed = false;
  #emptyTimer: ReturnType<typeof setTimeout> | undefined;
  #facts: OverlayFacts = {};
  #stats: StreamStats | undefined;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    const sheet = new CSSStyleSheet(); // a <style> element would need an exception in the page's content security policy
    sheet.replaceSync(styles);
    root.adoptedStyleSheets = [sheet];
    this.#shell.stage.append(this.#overlay.element);
    root.append(this.#shell.stage);
  }

  /** The connection, for programs that want more than the element offers. */
  get stream(): Stream | undefined {
    return this.#stream;
  }

  get state(): StreamState {
    return this.#stream?.state ?? { name: "idle" };
  }

  /** The newest numbers; undefined before the first second. */
  get stats(): StreamStats | undefined {
    return this.#stats;
  }

  get video(): HTMLVideoElement {
    return this.#shell.video;
  }

  /** Shows the whole scene from the present direction. */
  frameAll(): void {
    const bounds = boundsOf(this.#scene);
    if (bounds) this.#motion.flyTo(this.#camera.framing(bounds));
  }

  /** Turns the camera by angles in radians. */
  orbit(yaw: number, pitch: number): void {
    this.#motion.stop();
    this.#camera.orbit(yaw, pitch);
    this.#sendPose();
  }

  /** Loads a model into the scene. A failure is shown and thrown. */
  async load(uri: string): Promise<void> {
    this.#loadError = undefined;
    try {
      if (!this.#stream) throw new HeliographError("network", "Not connected to a session.");
      const loading = this.#stream.load(uri);
      this.#setProgress({ uri, done: 0, stage: "fetch" });
      await loading;
    } catch (error) {
      const failure = HeliographError.from(error, "server", "The model was not loaded.");
      this.#loadFailed(failure);
      throw failure;
    }
  }

  toggleOverlay(): void {
    this.#overlay.toggle();
    this.#overlay.update(this.#stats, this.#facts);
    this.#shell.showOverlayPressed(this.#overlay.visible);
  }

  /** Focuses the picture, without a ring that says so: it is not the keyboard that brought the focus. */
  override focus(): void {
    this.#shell.surface.focus({ preventScroll: true, focusVisible: false } as FocusOptions);
  }

  connectedCallback(): void {
    this.#connected = new AbortController();
    const { signal } = this.#connected;
    new Controls(
      {
        element: this.#shell.surface,
        camera: this.#camera,
        motion: this.#motion,
        onChange: () => this.#sendPose(),
        pick: (x, y) => this.#pick(x, y),
        frameAll: () => this.frameAll(),
        toggleOverlay: () => this.toggleOverlay(),
      },
      signal,
    );
    const observer = new ResizeObserver(() => this.#resized());
    observer.observe(this);
    signal.addEventListener("abort", () => observer.disconnect());
    // devicePixelRatio changes (another screen, page zoom) resize the page as well in every browser.
    window.addEventListener("resize", () => this.#resized(), { signal });
    window.addEventListener("pagehide", () => this.#close(), { signal });
    window.addEventListener("pageshow", (event) => event.persisted && this.#scheduleRestart(), { signal });
    this.#scheduleRestart();
  }

  disconnectedCallback(): void {
    this.#connected?.abort();
    this.#connected = undefined;
    clearTimeout(this.#viewportTimer);
    this.#motion.stop();
    this.#close();
  }

  attributeChangedCallback(name: string): void {
    if (name === "max-pixels") this.#resized();
    else this.#scheduleRestart();
  }

  #act(name: CardAction): void {
    switch (name) {
      case "retry":
      case "takeover":
        this.#stream?.connect({ takeover: name === "takeover" });
        break;
      case "sample":
        this.load(sampleModel).catch(() => {}); // load() shows its error
        break;
      case "dismiss":
        this.#loadError = undefined;
        this.#render();
        break;
    }
    this.focus();
  }

  /** Several attributes usually change together: one restart serves them. */
  #scheduleRestart(): void {
    if (this.#restart || !this.#connected) return;
    this.#restart = true;
    queueMicrotask(() => {
      this.#restart = false;
      if (this.#connected) this.#open();
    });
  }

  #open(): void {
    this.#close();
    const account = this.getAttribute("account");
    const session = this.getAttribute("session");
    const token = this.getAttribute("token");
    if (!account || !session || !token) {
      this.#render();
      return;
    }
    const rest = new RestClient({ endpoint: this.getAttribute("endpoint") ?? location.origin, account, credential: { token } });
    const stream = new Stream({ rest, session });
    this.#stream = stream;
    this.#session = new AbortController();
    this.#listen(stream, this.#session.signal);
    this.#resized();
    stream.connect();
  }

  #close(): void {
    this.#session?.abort();
    this.#session = undefined;
    this.#stream?.dispose();
    this.#stream = undefined;
    clearTimeout(this.#progressTimer);
    clearTimeout(this.#emptyTimer);
    this.#scene = this.#progress = this.#loadError = this.#stats = undefined;
    this.#shell.freeze(false);
    this.#pictureShown = this.#arriving = false;
    this.#facts = {};
  }

  #listen(stream: Stream, signal: AbortSignal): void {
    const detach = attachVideo(stream, this.#shell.video);
    signal.addEventListener("abort", detach);
    this.#shell.video.addEventListener("loadeddata", () => this.#firstPicture(), { signal });
    const options = { signal };
    stream.on("media", () => (this.#pictureShown = false), options);
    stream.on("release", () => this.#shell.freeze(this.#pictureShown), options);
    stream.on("state", (state) => this.#stateChanged(state), options);
    stream.on("welcome", (w) => (this.#facts = { ...this.#facts, renderer: w.renderer, codec: w.codec }), options);
    stream.on("scene", (scene) => this.#sceneChanged(scene), options);
    stream.on("progress", (progress) => this.#setProgress(progress), options);
    stream.on("model", ({ triangles }) => this.#modelLoaded(triangles > 0n), options);
    stream.on("problem", (error) => this.#loadFailed(error), options);
    stream.on("lease", ({ secondsLeft }) => (this.#facts = { ...this.#facts, leaseEndsAt: Date.now() + secondsLeft * 1000 }), options);
    stream.on(
      "stats",
      (stats) => {
        this.#stats = stats;
        if (this.#overlay.visible) this.#overlay.update(stats, this.#facts);
        this.#shell.showLease(this.#facts.leaseEndsAt);
        this.dispatchEvent(new CustomEvent("stats", { detail: stats }));
      },
      options,
    );
  }

  #modelLoaded(visible: boolean): void {
    this.#arriving = visible && (this.#scene?.empty ?? true);
    this.#setProgress(undefined);
  }

  #loadFailed(error: HeliographError): void {
    this.#loadError = error;
    this.#setProgress(undefined);
  }

  #firstPicture(): void {
    this.#pictureShown = true;
    this.#shell.freeze(false);
    this.#render();
  }

  #stateChanged(state: StreamState): void {
    if (state.name !== "connected") this.#setProgress(undefined);
    this.#render();
    this.dispatchEvent(new CustomEvent("statechange", { detail: state }));
  }

  #sceneChanged(scene: SceneInfo): void {
    const before = boundsOf(this.#scene);
    const bounds = boundsOf(scene);
    this.#scene = scene;
    this.#confirmEmpty(scene.empty);
    this.#facts = { ...this.#facts, sceneTriangles: scene.triangles };
    if (bounds) {
      this.#camera.setBounds(bounds);
      this.#arriving = false;
      // The first thing to see is framed at once; later additions leave the user's view alone.
      if (!before) this.#camera.view = this.#camera.framing(bounds);
      this.#sendPose();
    }
    this.#render();
    this.dispatchEvent(new CustomEvent("sceneinfo", { detail: scene }));
  }

  /** Somebody else's load may be on its way: an empty scene is not called empty at first sight. */
  #confirmEmpty(empty: boolean): void {
    clearTimeout(this.#emptyTimer);
    this.#emptyConfirmed = false;
    if (!empty) return;
    this.#emptyTimer = setTimeout(() => {
      this.#emptyConfirmed = true;
      this.#render();
    }, emptyGraceMs);
  }

  #setProgress(progress: Progress | undefined): void {
    clearTimeout(this.#progressTimer);
    this.#progress = progress;
    if (progress) this.#progressTimer = setTimeout(() => this.#setProgress(undefined), progressSilenceMs);
    this.#shell.showProgress(progress);
    this.#render();
  }

  #render(): void {
    const state = this.state;
    const card = cardFor(state, {
      pictureShown: this.#pictureShown,
      empty: this.#emptyConfirmed,
      loading: this.#progress !== undefined || this.#arriving,
      loadError: this.#loadError,
    });
    this.#shell.show(state, card);
  }

  /** Before the extent of the scene is known the worker's own default view is better than any guess. */
  #sendPose(): void {
    if (boundsOf(this.#scene)) this.#stream?.setPose(this.#camera.pose());
  }

  async #pick(x: number, y: number): Promise<Vec3 | undefined> {
    try {
      const hit = await this.#stream?.pick(x, y);
      return hit && hit.entityId !== 0 ? hit.position : undefined;
    } catch {
      return undefined; // no answer, no pivot: the gesture works about the centre
    }
  }

  #resized(): void {
    const { clientWidth: width, clientHeight: height } = this;
    if (!this.#connected || width === 0 || height === 0) return;
    this.#camera.reshape(width / height, boundsOf(this.#scene));
    this.#sendPose();
    clearTimeout(this.#viewportTimer);
    const send = () => {
      const size = viewportSize(width, height, devicePixelRatio, Number(this.getAttribute("max-pixels")) || undefined);
      this.#stream?.setViewport(size.width, size.height);
    };
    if (this.state.name === "connected") this.#viewportTimer = setTimeout(send, viewportDelayMs);
    else send();
  }
}

type Progress = Pick<LoadProgress, "uri" | "done" | "stage">;

function boundsOf(scene: SceneInfo | undefined): Bounds | undefined {
  return scene && !scene.empty && scene.boundsMin && scene.boundsMax ? { min: scene.boundsMin, max: scene.boundsMax } : undefined;
}
