import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fromBinary } from "@bufbuild/protobuf";
import { ClientMessageSchema, FrameRecordSchema, ServerMessageSchema, type ClientMessage } from "../src/gen/v1/stream_pb.ts";
import { HeliographError } from "../src/errors.ts";
import type { Peer, PeerHandlers } from "../src/peer.ts";
import { Backoff } from "../src/reconnect.ts";
import { RestClient } from "../src/rest.ts";
import { Stream, type StreamState } from "../src/stream.ts";

class FakePeer implements Peer {
  readonly media = {} as MediaStream;
  readonly poses: Uint8Array[] = [];
  readonly messages: ClientMessage[] = [];
  readonly handlers: PeerHandlers;
  closed = 0;
  readonly farewells: boolean[] = [];
  readonly pose = { readyState: "open", bufferedAmount: 0, send: (data: Uint8Array) => void this.poses.push(data) };

  constructor(handlers: PeerHandlers) {
    this.handlers = handlers;
  }
  sendScene(data: Uint8Array) {
    this.messages.push(fromBinary(ClientMessageSchema, data));
  }
  stats() {
    return Promise.resolve(new Map() as unknown as RTCStatsReport);
  }
  close(options: { farewell?: boolean } = {}) {
    this.closed++;
    this.farewells.push(options.farewell ?? false);
  }
}

/** A stream whose peers and REST answers the test decides. */
function setup(status = "Ready") {
  const server = { status, code: 200, error: undefined as { code: string; message: string } | undefined, asked: 0 };
  const rest = new RestClient({
    endpoint: "http://control.test",
    account: "a",
    credential: { token: "t" },
    fetch: () => {
      server.asked++;
      const body = server.code === 200 ? { id: "s", status: server.status, error: server.error } : { error: { code: "X", message: "no" } };
      return Promise.resolve(new Response(JSON.stringify(body), { status: server.code }));
    },
  });
  const peers: FakePeer[] = [];
  const failures: HeliographError[] = []; // consumed one per attempt
  const takeovers: boolean[] = [];
  const states: StreamState[] = [];
  const stream = new Stream({
    rest,
    session: "s",
    reconnect: new Backoff({ firstMs: 100, maxMs: 1000, giveUpAfterMs: 5000, random: () => 1 }),
    openPeer: async (handlers, { takeover, ready }) => {
      await ready;
      takeovers.push(takeover);
      const failure = failures.shift();
      if (failure) throw failure;
      const peer = new FakePeer(handlers);
      peers.push(peer);
      return peer;
    },
  });
  stream.on("state", (s) => states.push(s));
  return { server, takeovers, peers, failures, states, stream, names: () => states.map((s) => s.name) };
}

const lost = () => new HeliographError("media", "broke");
const settle = () => vi.advanceTimersByTimeAsync(0);

describe("Stream", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("connects, and sends viewport and pose on every connection", async () => {
    const t = setup();
    t.stream.setViewport(800, 600);
    t.stream.setPose({ position: { x: 1, y: 2, z: 3 }, orientation: { x: 0, y: 0, z: 0, w: 1 }, fovY: 1, near: 0.1 });
    t.stream.connect();
    await settle();
    expect(t.names()).toEqual(["connecting", "connected"]);
    t.peers[0]!.handlers.lost(lost());
    await vi.advanceTimersByTimeAsync(150);
    expect(t.names()).toEqual(["connecting", "connected", "reconnecting", "connected"]);
    for (const peer of t.peers) {
      expect(peer.messages[0]?.body).toMatchObject({ case: "setViewport", value: { width: 800, height: 600 } });
      expect(peer.poses).toHaveLength(1);
    }
    expect(t.peers[0]!.closed).toBeGreaterThan(0);
  });

  it("backs off while the server is away and gives up in the end", async () => {
    const t = setup();
    for (let i = 0; i < 100; i++) t.failures.push(new HeliographError("network", "away"));
    t.stream.connect();
    await vi.advanceTimersByTimeAsync(1000);
    const attempts = t.states.flatMap((s) => (s.name === "reconnecting" ? [s.attempt] : []));
    expect(attempts).toEqual([1, 2, 3, 4]); // after 0, 100, 300 and 700 ms
    await vi.advanceTimersByTimeAsync(10_000);
    expect(t.stream.state).toMatchObject({ name: "failed", error: { reason: "network" } });
    t.failures.length = 0;
    t.stream.connect(); // "try again"
    await settle();
    expect(t.stream.state.name).toBe("connected");
  });

  it.each([
    ["Stopped", "stopped"],
    ["Expired", "expired"],
    ["Error", "error"],
  ])("ends without another attempt when the session is %s", async (status, reason) => {
    const t = setup();
    t.stream.connect();
    await settle();
    t.server.status = status;
    t.server.error = { code: "WorkerExited", message: "The worker ended." };
    t.peers[0]!.handlers.lost(lost());
    await vi.advanceTimersByTimeAsync(60_000);
    expect(t.stream.state).toEqual({ name: "ended", reason, message: "The worker ended." });
    expect(t.peers).toHaveLength(1);
    t.stream.connect();
    await settle();
    expect(t.peers).toHaveLength(1);
  });

  it("believes the worker's last message", async () => {
    const t = setup();
    t.stream.connect();
    await settle();
    t.peers[0]!.handlers.serverMessage(
      create(ServerMessageSchema, { body: { case: "ended", value: { reason: "expired", message: "The lease is over." } } }),
    );
    await settle();
    expect(t.stream.state).toEqual({ name: "ended", reason: "expired", message: "The lease is over." });
  });

  it("waits for a session that is starting, however long it takes", async () => {
    const t = setup("Starting");
    t.stream.connect();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(t.stream.state).toEqual({ name: "connecting", phase: "starting" });
    t.server.status = "Ready";
    await vi.advanceTimersByTimeAsync(1000);
    expect(t.stream.state.name).toBe("connected");
    expect(t.takeovers).toHaveLength(1); // nothing was offered before
  });

  it("ends when the session does while it is starting", async () => {
    const t = setup("Starting");
    t.stream.connect();
    await vi.advanceTimersByTimeAsync(500);
    t.server.status = "Error";
    t.server.error = { code: "WorkerStartFailed", message: "No room." };
    await vi.advanceTimersByTimeAsync(1000);
    expect(t.stream.state).toEqual({ name: "ended", reason: "error", message: "No room." });
    expect(t.takeovers).toEqual([]);
  });

  it("fails at once when the token is not accepted", async () => {
    const t = setup();
    t.failures.push(new HeliographError("unauthorized", "expired"));
    t.server.code = 401;
    t.stream.connect();
    await settle();
    expect(t.stream.state).toMatchObject({ name: "failed", error: { reason: "unauthorized" } });
  });

  it("gives the viewer before it a moment to leave, and then asks before taking over", async () => {
    const t = setup();
    const busy = () => new HeliographError("busy", "other");
    t.failures.push(busy(), busy());
    t.stream.connect();
    await vi.advanceTimersByTimeAsync(1000);
    expect(t.stream.state.name).toBe("connected");

    const other = setup();
    for (let i = 0; i < 50; i++) other.failures.push(busy());
    other.stream.connect();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(other.stream.state).toMatchObject({ name: "failed", error: { reason: "busy" } });
    expect(other.takeovers).not.toContain(true);
    other.failures.length = 0;
    other.stream.connect({ takeover: true });
    await settle();
    expect(other.takeovers.at(-1)).toBe(true);
    expect(other.stream.state.name).toBe("connected");
  });

  it("takes over once, not again when the connection is lost later", async () => {
    const t = setup();
    t.stream.connect({ takeover: true });
    await settle();
    t.peers[0]!.handlers.lost(lost());
    await vi.advanceTimersByTimeAsync(1000);
    expect(t.takeovers).toEqual([true, false]);
  });

  it.each([
    ["replaced", "replaced"],
    ["error", "worker"],
  ])("does not fight when the worker ends the connection with reason %s", async (reason, expected) => {
    const t = setup();
    t.stream.connect();
    await settle();
    t.peers[0]!.handlers.serverMessage(create(ServerMessageSchema, { body: { case: "ended", value: { reason, message: "why" } } }));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(t.stream.state).toMatchObject({ name: "failed", error: { reason: expected, message: "why" } });
    expect(t.peers).toHaveLength(1);
    expect(t.peers[0]!.farewells).toEqual([true]); // no DELETE for what the worker has ended itself
  });

  it("matches answers with requests, and rejects those that a lost connection leaves open", async () => {
    const t = setup();
    t.stream.connect();
    await settle();
    const peer = t.peers[0]!;
    const load = t.stream.load("builtin://engine");
    const pick = t.stream.pick(0.5, 0.5);
    const [loadId, pickId] = peer.messages.map((m) => m.requestId);
    const progress: number[] = [];
    t.stream.on("progress", (p) => progress.push(p.done));
    const send = (requestId: number, body: Parameters<typeof create<typeof ServerMessageSchema>>[1]) =>
      peer.handlers.serverMessage(create(ServerMessageSchema, { requestId, ...body }));
    send(loadId!, { body: { case: "loadProgress", value: { done: 0.5 } } });
    send(pickId!, { body: { case: "pickResult", value: { entityId: 7 } } });
    send(loadId!, { body: { case: "modelLoaded", value: { modelId: 1, triangles: 12n } } });
    expect((await pick).entityId).toBe(7);
    expect((await load).triangles).toBe(12n);
    expect(progress).toEqual([0.5]);

    const refused = t.stream.load("file:///etc/passwd");
    send(peer.messages.at(-1)!.requestId, { body: { case: "error", value: { code: "Forbidden", message: "no" } } });
    await expect(refused).rejects.toMatchObject({ reason: "invalid", code: "Forbidden" });

    const open = t.stream.load("builtin://engine");
    peer.handlers.lost(lost());
    await expect(open).rejects.toMatchObject({ reason: "network" });
  });

  it("reports the latency of shown frames", async () => {
    const t = setup();
    t.stream.connect();
    await settle();
    t.stream.setPose({ position: { x: 0, y: 0, z: 0 }, orientation: { x: 0, y: 0, z: 0, w: 1 }, fovY: 1, near: 0.1 });
    t.peers[0]!.handlers.frameRecord(create(FrameRecordSchema, { rtpTimestamp: 90, poseId: 1, renderUs: 9000 }));
    const frames: number[][] = [];
    t.stream.on("frame", (f) => frames.push(f.latencies));
    t.stream.frameShown(90, performance.now() + 25);
    expect(frames).toHaveLength(1);
    expect(frames[0]?.[0]).toBeCloseTo(25, 3);
  });

  it("disposes once and for all", async () => {
    const t = setup();
    t.stream.connect();
    await settle();
    const { asked } = t.server;
    t.stream.dispose();
    t.stream.dispose();
    expect(t.stream.state.name).toBe("idle");
    expect(t.peers[0]!.closed).toBe(1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(t.peers).toHaveLength(1);
    expect(t.server.asked).toBe(asked);
  });
});
