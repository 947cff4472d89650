const adjectives = [
  "amber",
  "brisk",
  "calm",
  "clear",
  "copper",
  "early",
  "gentle",
  "golden",
  "keen",
  "lucid",
  "quiet",
  "rapid",
  "silver",
  "solar",
  "steady",
  "vivid",
];
const nouns = [
  "beacon",
  "comet",
  "falcon",
  "harbor",
  "lantern",
  "meadow",
  "mirror",
  "orbit",
  "otter",
  "prism",
  "ridge",
  "signal",
  "summit",
  "sundial",
  "turbine",
  "valley",
];

/** A session id that people can say aloud, e.g. "amber-prism-42". */
export function suggestId(random: () => number = Math.random): string {
  const pick = (list: string[]) => list[Math.floor(random() * list.length)]!;
  return `${pick(adjectives)}-${pick(nouns)}-${10 + Math.floor(random() * 90)}`;
}
