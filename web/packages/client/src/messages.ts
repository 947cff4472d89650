// The protobuf messages under short names, with the encoding that a data channel wants.
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ClientMessageSchema,
  FrameRecordSchema,
  PoseSchema,
  ServerMessageSchema,
  type FrameRecord,
  type ServerMessage,
} from "./gen/v1/stream_pb.ts";

export type {
  FrameRecord,
  LeaseInfo,
  LoadProgress,
  ModelLoaded,
  PickResult,
  SceneInfo,
  ServerMessage,
  Welcome,
} from "./gen/v1/stream_pb.ts";

export interface Vec3 {
  x: number;
  y: number;
  z: number;
}

export interface Quat extends Vec3 {
  w: number;
}

/** A camera: camera to world, looks along its -Z, +Y up; metres and radians. */
export interface Pose {
  position: Vec3;
  orientation: Quat;
  fovY: number;
  near: number;
}

export type ClientBody = Exclude<
  NonNullable<MessageInitShape<typeof ClientMessageSchema>["body"]>,
  { case: undefined } | { case?: undefined }
>;
export type ServerBody = ServerMessage["body"];

export function encodePose(id: number, pose: Pose): Uint8Array<ArrayBuffer> {
  return toBinary(PoseSchema, create(PoseSchema, { id, ...pose }));
}

export function encodeClientMessage(requestId: number, body: ClientBody): Uint8Array<ArrayBuffer> {
  return toBinary(ClientMessageSchema, create(ClientMessageSchema, { requestId, body }));
}

/** Undefined when the bytes are no such message. */
export function decodeFrameRecord(data: ArrayBuffer): FrameRecord | undefined {
  return decode(() => fromBinary(FrameRecordSchema, new Uint8Array(data)));
}

/** Undefined when the bytes are no such message. */
export function decodeServerMessage(data: ArrayBuffer): ServerMessage | undefined {
  return decode(() => fromBinary(ServerMessageSchema, new Uint8Array(data)));
}

function decode<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined; // a newer server may send what this client does not know
  }
}
