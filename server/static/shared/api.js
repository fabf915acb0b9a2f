// Talking to the server. Addresses are relative to the page's own, so that a proxy may publish it anywhere.

export class Refusal extends Error {
  constructor(detail, retryAfter = null) {
    super(detail.problem);
    this.detail = detail;
    this.retryAfter = retryAfter;
  }
}

let csrf = "";

// what proves to the server that a request comes from this page
export function prove(token) { csrf = token; }

// an address of an answer, as this page reaches it
export const here = (path) => path.replace(/^\//, "");

export const json = (body) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

/** The response of a request that was taken. */
export async function send(path, options = {}) {
  const headers = new Headers(options.headers);
  if (csrf && options.method) headers.set("X-CSRF-Token", csrf);
  const response = await fetch(path, { ...options, headers }).catch((error) => {
    throw error.name === "AbortError" ? error : unreachable();
  });
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw new Refusal(
    body?.problem ? body : { kind: "unreadable", problem: `the server answered ${response.status}` },
    Number(response.headers.get("Retry-After")) || null,
  );
}

export async function ask(path, options) {
  const response = await send(path, options);
  if (response.status === 204) return null;
  const body = await response.json().catch(() => null);
  if (body === null) throw unreachable();
  return body;
}

/** The server-sent events of a request, as [name, data]. */
export async function* events(path, options) {
  const response = await send(path, options);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch((error) => {
      throw error.name === "AbortError" ? error : unreachable();
    });
    if (done) return;
    const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const field = (name) => block.split("\n").filter((line) => line.startsWith(`${name}:`))
        .map((line) => line.slice(name.length + 1).trimStart()).join("\n");
      if (field("data")) yield [field("event"), JSON.parse(field("data"))];
    }
  }
}

export const unreachable = () => new Refusal({ kind: "unreachable", problem: "the server does not answer" });
