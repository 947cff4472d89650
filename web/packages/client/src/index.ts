export { Emitter, type ListenOptions } from "./emitter.ts";
export { HeliographError, type ErrorReason } from "./errors.ts";
export { percentile, type ShownFrame } from "./latency.ts";
export type { FrameRecord, LeaseInfo, LoadProgress, ModelLoaded, PickResult, Pose, Quat, SceneInfo, Vec3, Welcome } from "./messages.ts";
export { Backoff, type BackoffOptions, type ReconnectPolicy } from "./reconnect.ts";
export {
  isTerminal,
  RestClient,
  type Credential,
  type Load,
  type RestOptions,
  type Conversion,
  type ConversionProgress,
  type ConversionSettings,
  type ConversionStatus,
  type Session,
  type SessionSettings,
  type SessionSize,
  type SessionStatus,
  type ViewerToken,
} from "./rest.ts";
export type { StreamStats } from "./stats.ts";
export { Stream, type EndReason, type StreamEvents, type StreamOptions, type StreamState } from "./stream.ts";
export { attachVideo } from "./video.ts";
