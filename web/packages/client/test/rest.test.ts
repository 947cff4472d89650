import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RestClient, tokenExpiry, type Credential } from "../src/rest.ts";

const jwt = (expires: number) => `x.${btoa(JSON.stringify({ exp: expires / 1000 }))}.y`;
const json =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  () =>
    new Response(JSON.stringify(body), { status, headers });

/** A client whose answers are given in order; a string is the name of a network failure. */
function setup(credential: Credential, ...answers: (string | (() => Response))[]) {
  const asked: { method: string; url: string; authorization: string }[] = [];
  const rest = new RestClient({
    endpoint: "https://control.test/",
    account: "acc",
    credential,
    fetch: (input, init) => {
      const headers = init?.headers as Record<string, string>;
      asked.push({ method: init?.method ?? "GET", url: String(input), authorization: headers.Authorization ?? "" });
      const answer = answers.shift();
      if (answer === undefined) throw new Error("an unexpected request");
      return typeof answer === "string" ? Promise.reject(new TypeError(answer)) : Promise.resolve(answer());
    },
  });
  return { rest, asked };
}

const ready = { id: "s", status: "Ready" };

describe("RestClient", () => {
  beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
  afterEach(() => void vi.useRealTimers());

  it("gets a token with the account key, once for many requests, and anew before it expires", async () => {
    const hour = 3_600_000;
    const token = (n: number) => json(200, { AccessToken: `${jwt(Date.now() + hour)}${n}` });
    const t = setup({ accountKey: "k/+=" }, token(1), json(200, ready), json(200, ready), token(2), json(200, ready));
    await Promise.all([t.rest.get("s"), t.rest.get("s")]);
    expect(t.asked[0]).toEqual({ method: "GET", url: "https://control.test/Accounts/acc/token", authorization: "Bearer acc:k/+=" });
    expect(t.asked.map((a) => a.url).slice(1)).toEqual(
      Array(2).fill("https://control.test/accounts/acc/sessions/s?api-version=2021-01-01"),
    );
    await vi.advanceTimersByTimeAsync(hour - 4 * 60_000);
    await t.rest.get("s");
    expect(t.asked.at(-1)?.authorization).toMatch(/2$/);
  });

  it("says that the key is wrong", async () => {
    const t = setup({ accountKey: "no" }, () => new Response(null, { status: 401 }));
    await expect(t.rest.token()).rejects.toMatchObject({ reason: "unauthorized", message: "The account id or the account key is wrong." });
  });

  it("repeats after 429 as Retry-After says, and after a network failure", async () => {
    const t = setup(
      { token: "t" },
      json(429, { error: { code: "TooManyRequests", message: "slow" } }, { "Retry-After": "7" }),
      "Failed to fetch",
      json(200, ready),
    );
    const session = t.rest.get("s");
    await vi.advanceTimersByTimeAsync(6900);
    expect(t.asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(5000);
    expect((await session).id).toBe("s");
    expect(t.asked).toHaveLength(3);
  });

  it("asks once when told so, and never repeats what may not be", async () => {
    const t = setup({ token: "t" }, "Failed to fetch", "Failed to fetch");
    await expect(t.rest.get("s", { attempts: 1 })).rejects.toMatchObject({ reason: "network" });
    await expect(t.rest.load("s", "builtin://engine")).rejects.toMatchObject({ reason: "network" });
    expect(t.asked).toHaveLength(2);
  });

  it("follows the pages of the list", async () => {
    const next = "https://control.test/accounts/acc/sessions?api-version=2021-01-01&after=a";
    const t = setup({ token: "t" }, json(200, { sessions: [{ id: "a" }], "@nextLink": next }), json(200, { sessions: [{ id: "b" }] }));
    expect((await t.rest.list()).map((s) => s.id)).toEqual(["a", "b"]);
    expect(t.asked[1]?.url).toBe(next);
  });

  it.each([
    [400, "BadRequest", "invalid"],
    [401, undefined, "unauthorized"],
    [403, "Forbidden", "unauthorized"],
    [404, "NotFound", "not-found"],
    [409, "Conflict", "conflict"],
    [409, "OtherSessionConnected", "busy"],
    [410, "Gone", "ended"],
    [422, "UnprocessableEntity", "invalid"],
    [500, "InternalServerError", "server"],
  ])("maps %i %s to %s", async (status, code, reason) => {
    const t = setup(
      { token: "t" },
      code === undefined ? () => new Response(null, { status }) : json(status, { error: { code, message: "why" } }),
    );
    await expect(t.rest.extend("s", 60)).rejects.toMatchObject({ name: "HeliographError", reason, status, code });
  });

  it("waits for a session to become ready, and says why it does not", async () => {
    const starting = { id: "s", status: "Starting" };
    const t = setup({ token: "t" }, json(200, starting), json(200, starting), json(200, ready));
    const waiting = t.rest.waitReady("s");
    await vi.advanceTimersByTimeAsync(1000);
    expect((await waiting).status).toBe("Ready");

    const failed = setup(
      { token: "t" },
      json(200, { id: "s", status: "Error", error: { code: "NoCapacity", message: "The host is full." } }),
    );
    await expect(failed.rest.waitReady("s")).rejects.toMatchObject({ reason: "ended", code: "NoCapacity", message: "The host is full." });
  });

  it("gives up when told to", async () => {
    const stop = new AbortController();
    const t = setup({ token: "t" }, json(200, { id: "s", status: "Starting" }));
    const waiting = t.rest.waitReady("s", { signal: stop.signal });
    const refused = expect(waiting).rejects.toThrow();
    await vi.advanceTimersByTimeAsync(10);
    stop.abort();
    await refused;
    expect(t.asked).toHaveLength(1);
  });
});

describe("tokenExpiry", () => {
  it("reads exp, and takes anything else for expired", () => {
    expect(tokenExpiry(jwt(5_000))).toBe(5_000);
    expect(tokenExpiry("opaque")).toBe(0);
  });
});
