// A link to a search: it holds the public plan (digests, seeds, options), never a word of the report.

const NAME = "#plan=";

async function through(bytes, stream) {
  const piped = new Blob([bytes]).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(piped).arrayBuffer());
}

const toText = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
const toBytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

/** The address of a search; what follows the # is never sent to a server. */
export async function linkOf({ plan, query: { asked } }, { layout, translate }) {
  const told = { plan, as_written: asked.as_written, unspecified_sites: asked.unspecified_sites };
  // nuclei that were placed are nobody's words; words stay here, as a report does
  if (layout) Object.assign(told, { layout: layout.points ?? true, seed: asked.seed });
  if (translate) told.translate = true;
  const packed = await through(new TextEncoder().encode(JSON.stringify(told)), new CompressionStream("deflate-raw"));
  return `${window.location.pathname}${NAME}${toText(packed)}`;
}

/** What this page's address links to, or null; a damaged link is `undefined`. */
export async function linked() {
  const { hash } = window.location;
  if (!hash.startsWith(NAME)) return null;
  try {
    const told = await through(toBytes(hash.slice(NAME.length)), new DecompressionStream("deflate-raw"));
    const found = JSON.parse(new TextDecoder().decode(told));
    return found.plan?.archive ? found : undefined;
  } catch {
    return undefined;
  }
}

/** The question of a plan, as far as a plan tells it: filters by the digests of the archive's values. */
export async function questionOf({ plan, as_written: asWritten, unspecified_sites: unspecified, seed, translate }, fields) {
  const where = {};
  for (const [name, digests] of Object.entries(plan.where)) {
    if (name === "site" && plan.site?.applied && plan.site.how !== "asked") continue;
    const values = fields.find((field) => field.name === name)?.values ?? [];
    for (const { value } of values) {
      if (await digestOf(value) === digests[0]) where[name] = value;
    }
  }
  return {
    mode: plan.mode === "image" ? null : plan.mode,
    k: plan.k,
    prototypes: plan.seeds.length || null,
    seed: plan.seeds[0] ?? seed ?? 0,
    translate: Boolean(translate),
    liked: plan.liked, disliked: plan.disliked, diversity: plan.diversity,
    near_duplicates: plan.near_duplicates,
    all_sites: Boolean(plan.site && !plan.site.applied && !plan.site.lacking),
    as_written: asWritten, unspecified_sites: unspecified, where,
  };
}

async function digestOf(text) {
  // browsers hash on secure addresses only; elsewhere a filter has to be chosen again
  if (!crypto.subtle) return "";
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const COMPARED = [
  "archive_version", "archive", "encoder", "generator", "mode", "report", "searched", "image", "where", "prototypes",
  "liked", "disliked", "k", "diversity", "near_duplicates", "fusion", "closeness", "unlike",
];

/** In what two plans differ, by name; nothing: the same search of the same archive. */
export const changes = (then, now) =>
  COMPARED.filter((name) => canonical(then[name]) !== canonical(now[name]));

function canonical(value) {
  if (value === null || typeof value !== "object") return JSON.stringify(value ?? null);
  if (Array.isArray(value)) return `[${value.map(canonical)}]`;
  return `{${Object.keys(value).sort().map((key) => `${key}:${canonical(value[key])}`)}}`;
}
