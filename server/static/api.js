// Talking to the server. Addresses are relative to the page's own, so that a proxy may publish it anywhere.

export class Refusal extends Error {
  constructor(detail, retryAfter) {
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

export async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  if (csrf && options.method) headers.set("X-CSRF-Token", csrf);
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal({
      problem: "the server does not answer",
      remedy: "check that it is running and that you are connected, then search again",
    });
  }
  if (response.status === 204) return null;
  const body = await response.json().catch(() => null);
  if (response.ok && body) return body;
  throw new Refusal(
    body?.problem ? body : { problem: `the server answered ${response.status}`, remedy: "search again" },
    Number(response.headers.get("Retry-After")) || null,
  );
}
