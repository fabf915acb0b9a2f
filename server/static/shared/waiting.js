// Asking again where the server says when: while its models load, and while it is busy.

import { Refusal } from "./api.js";

const WAITS = ["not_ready", "busy", "too_late"];
const BUSY_TRIES = 6;

/** What `ask` gives; `told` hears of each refusal that is waited out. */
export async function patiently(ask, told, signal) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await ask();
    } catch (refusal) {
      const kind = refusal instanceof Refusal && refusal.detail.kind;
      const worthIt = kind === "not_ready" || tries < BUSY_TRIES;
      if (!WAITS.includes(kind) || !refusal.retryAfter || !worthIt) throw refusal;
      if (kind === "not_ready" && await failedForGood()) {
        throw new Refusal({ ...refusal.detail, kind: "failed" });
      }
      told(refusal);
      await pause(refusal.retryAfter * 1000, signal);
    }
  }
}

async function failedForGood() {
  const ready = await fetch("readyz").then((response) => response.json()).catch(() => null);
  return ready?.status === "failed";
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("stopped", "AbortError"));
    }, { once: true });
  });
}
