import { describe, expect, it } from "vitest";
import { RestClient } from "../src/rest.ts";
import { WhepClient } from "../src/whep.ts";

/** A control plane that hands out connections c1, c2, … and logs what it is asked. */
function setup() {
  const asked: string[] = [];
  let connections = 0;
  let online = true;
  const rest = new RestClient({
    endpoint: "http://control.test",
    account: "a",
    credential: { token: "t" },
    fetch: (input, init) => {
      const url = new URL(String(input));
      asked.push(`${init?.method} ${url.pathname}${url.searchParams.has("takeover") ? " takeover" : ""}`);
      if (!online) return Promise.reject(new TypeError("Failed to fetch"));
      if (init?.method === "DELETE") return Promise.resolve(new Response(null));
      const headers = { Location: `/accounts/a/sessions/s/whep/c${++connections}` };
      return Promise.resolve(new Response("v=0\r\n", { status: 201, headers }));
    },
  });
  return { asked, whep: new WhepClient(rest, "s"), setOnline: (value: boolean) => (online = value) };
}

const never = new AbortController().signal;
const settle = () => new Promise((resolve) => setTimeout(resolve));

describe("WhepClient", () => {
  it("offers, and ends what it was given", async () => {
    const t = setup();
    const answer = await t.whep.offer("v=0", false, never);
    answer.end();
    await settle();
    expect(t.asked).toEqual(["POST /accounts/a/sessions/s/whep", "DELETE /accounts/a/sessions/s/whep/c1"]);
    await t.whep.offer("v=0", true, never);
    expect(t.asked.at(-1)).toBe("POST /accounts/a/sessions/s/whep takeover");
    expect(t.asked).toHaveLength(3); // c1 is known to have ended
  });

  it("ends a lost connection before it offers another, when it could not be told before", async () => {
    const t = setup();
    const answer = await t.whep.offer("v=0", false, never);
    t.setOnline(false);
    answer.end();
    await settle();
    await expect(t.whep.offer("v=0", false, never)).rejects.toMatchObject({ reason: "network" });
    t.setOnline(true);
    t.asked.length = 0;
    await t.whep.offer("v=0", false, never);
    expect(t.asked).toEqual(["DELETE /accounts/a/sessions/s/whep/c1", "POST /accounts/a/sessions/s/whep"]);
  });

  it("refuses what is no session description", async () => {
    const rest = new RestClient({
      endpoint: "http://control.test",
      account: "a",
      credential: { token: "t" },
      fetch: () => Promise.resolve(new Response("<html>")),
    });
    await expect(new WhepClient(rest, "s").offer("v=0", false, never)).rejects.toMatchObject({ reason: "server" });
  });
});
