import { HeliographError, type Session } from "@heliograph/client";
import { describe, expect, it, vi } from "vitest";
import { suggestId } from "../src/names.ts";
import { Sessions } from "../src/sessions.ts";

const session = (id: string, status: Session["status"] = "Ready", creationTime = `2026-01-01T00:00:0${id.length}.0+00:00`): Session => ({
  id,
  status,
  creationTime,
  elapsedTimeMinutes: 0,
  maxLeaseTimeMinutes: 30,
  size: "Standard",
});

/** A service whose sessions the test sets; like the real one it lists only the living. */
function service(...initial: Session[]) {
  const all = new Map(initial.map((s) => [s.id, s]));
  let broken: HeliographError | undefined;
  const rest = {
    list: () =>
      broken ? Promise.reject(broken) : Promise.resolve([...all.values()].filter((s) => s.status === "Ready" || s.status === "Starting")),
    get: (id: string) => {
      const s = all.get(id);
      return s ? Promise.resolve(s) : Promise.reject(new HeliographError("not-found", "none"));
    },
  };
  return { all, rest, breakWith: (error?: HeliographError) => (broken = error) };
}

const ids = (sessions: Sessions) => sessions.all.map((s) => `${s.id} ${s.status}`);

describe("Sessions", () => {
  it("lists the newest first", async () => {
    const sessions = new Sessions(service(session("a"), session("bbb"), session("cc")).rest);
    await sessions.refresh();
    expect(ids(sessions)).toEqual(["bbb Ready", "cc Ready", "a Ready"]);
  });

  it("tells how a session ended that it had seen, until dismissed", async () => {
    const s = service(session("a"), session("b"));
    const sessions = new Sessions(s.rest);
    await sessions.refresh();
    s.all.set("a", { ...session("a", "Error"), error: { code: "WorkerExited", message: "killed" } });
    s.all.delete("b"); // pruned
    await sessions.refresh();
    expect(ids(sessions)).toEqual(["a Error"]);
    expect(sessions.all[0]?.error?.message).toBe("killed");
    sessions.dismiss("a");
    await sessions.refresh();
    expect(ids(sessions)).toEqual([]);
  });

  it("keeps what was put while the list was on its way", async () => {
    const s = service();
    const sessions = new Sessions(s.rest);
    const refreshing = sessions.refresh();
    sessions.put(session("new", "Starting"));
    await refreshing;
    expect(ids(sessions)).toEqual(["new Starting"]);
  });

  it("reports trouble, goes on, and ends with the signal", async () => {
    vi.useFakeTimers();
    const s = service(session("a"));
    const sessions = new Sessions(s.rest);
    const trouble: (string | undefined)[] = [];
    sessions.on("trouble", (e) => trouble.push(e?.reason));
    const stop = new AbortController();
    s.breakWith(new HeliographError("network", "away"));
    const running = sessions.run(stop.signal, () => false);
    await vi.advanceTimersByTimeAsync(100);
    s.breakWith(undefined);
    await vi.advanceTimersByTimeAsync(3000);
    expect(trouble[0]).toBe("network");
    expect(trouble.at(-1)).toBeUndefined();
    expect(ids(sessions)).toEqual(["a Ready"]);
    stop.abort();
    await running;
    vi.useRealTimers();
  });

  it("asks nothing while the page is hidden", async () => {
    vi.useFakeTimers();
    const s = service();
    const list = vi.spyOn(s.rest, "list");
    const stop = new AbortController();
    const running = new Sessions(s.rest).run(stop.signal, () => true);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(list).not.toHaveBeenCalled();
    stop.abort();
    await running;
    vi.useRealTimers();
  });
});

describe("suggestId", () => {
  it("makes ids that the service accepts", () => {
    for (const r of [0, 0.5, 0.999999]) expect(suggestId(() => r)).toMatch(/^[A-Za-z0-9_-]{1,256}$/);
  });
});
