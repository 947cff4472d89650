import { HeliographError, type Conversion, type ConversionProgress } from "@heliograph/client";
import { describe, expect, it, vi } from "vitest";
import { progressText } from "../src/conversion-row.ts";
import { Conversions } from "../src/conversions.ts";

const conversion = (id: string, status: Conversion["status"]): Conversion => ({
  id,
  status,
  creationTime: "2026-01-01T00:00:00Z",
  settings: {
    inputLocation: { storageContainerUri: "file:///in", relativeInputAssetPath: "engine.fbx" },
    outputLocation: { storageContainerUri: "file:///out" },
  },
  error: null,
});
const progress = (p: Partial<ConversionProgress>): ConversionProgress => ({
  status: "Running",
  stage: "geometry",
  done: 0,
  attempt: 1,
  elapsedSeconds: 0,
  ...p,
});

describe("Conversions", () => {
  it("lists the newest first, and asks how far those are that have not ended", async () => {
    const asked: string[] = [];
    const conversions = new Conversions({
      listConversions: () => Promise.resolve([conversion("a", "Succeeded"), conversion("b", "Running"), conversion("c", "NotStarted")]),
      conversionProgress: (id) => {
        asked.push(id);
        return id === "c"
          ? Promise.reject(new HeliographError("not-found", "deleted meanwhile"))
          : Promise.resolve(progress({ done: 0.5 }));
      },
    });
    await conversions.refresh();
    expect(conversions.all.map((c) => [c.id, c.progress?.done])).toEqual([
      ["c", undefined],
      ["b", 0.5],
      ["a", undefined],
    ]);
    expect(asked.sort()).toEqual(["b", "c"]);
  });

  it("is not asked for while nobody looks, and at once when somebody does", async () => {
    vi.useFakeTimers();
    try {
      const list = vi.fn(() => Promise.resolve([]));
      const conversions = new Conversions({ listConversions: list, conversionProgress: () => Promise.reject(new Error("none")) });
      const end = new AbortController();
      let hidden = true;
      const running = conversions.run(end.signal, () => hidden);
      await vi.advanceTimersByTimeAsync(20_000);
      expect(list).not.toHaveBeenCalled();
      hidden = false;
      conversions.refreshSoon();
      await vi.advanceTimersByTimeAsync(1);
      expect(list).toHaveBeenCalledTimes(1);
      end.abort();
      await running;
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("progressText", () => {
  it("tells stage, percent and the time left", () => {
    expect(progressText(progress({ done: 0.25, elapsedSeconds: 30 }))).toBe("geometry, 25 %, 1:30 left");
    expect(progressText(progress({ done: 0.01, elapsedSeconds: 1 }))).toBe("geometry, 1 %");
    expect(progressText(progress({ status: "NotStarted", ahead: 3 }))).toBe("Waiting for 3 others");
    expect(progressText(undefined)).toBe("Waiting");
  });
});
