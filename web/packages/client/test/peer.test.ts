import { describe, expect, it } from "vitest";
import { isLoopbackOnly } from "../src/peer.ts";

const candidate = (address: string, n = 1) => `a=candidate:${n} 1 udp 2130706431 ${address} 50000 typ host\r\n`;

describe("isLoopbackOnly", () => {
  it("looks at all candidates of the answer", () => {
    expect(isLoopbackOnly(`v=0\r\nm=video 9\r\n${candidate("127.0.0.1")}${candidate("::1", 2)}`)).toBe(true);
    expect(isLoopbackOnly(`v=0\r\n${candidate("127.0.0.1")}${candidate("192.0.2.7", 2)}`)).toBe(false);
    expect(isLoopbackOnly("v=0\r\n")).toBe(false);
  });
});
