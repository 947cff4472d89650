import { describe, expect, it } from "vitest";
import { isLoopbackOnly } from "../src/peer.ts";

const candidate = (address: string, n = 1) => `a=candidate:${n} 1 udp 2130706431 ${address} 50000 typ host\r\n`;

describe("isLoopbackOnly", () => {
  const offer = candidate("f8241593-9762-4458-8c3d-a6c8bbca935d.local");
  it("looks at all candidates of the answer", () => {
    expect(isLoopbackOnly(offer, `v=0\r\nm=video 9\r\n${candidate("127.0.0.1")}${candidate("::1", 2)}`)).toBe(true);
    expect(isLoopbackOnly(offer, `v=0\r\n${candidate("127.0.0.1")}${candidate("192.0.2.7", 2)}`)).toBe(false);
    expect(isLoopbackOnly(offer, "v=0\r\n")).toBe(false);
  });
  it("is true without candidates of the viewer", () => {
    expect(isLoopbackOnly("v=0\r\n", candidate("192.0.2.7"))).toBe(true);
  });
});
