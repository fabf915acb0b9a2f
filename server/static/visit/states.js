// The states between question and answer: empty, loading, error; each in words.

import { $, el } from "../shared/dom.js";
import { has, seconds, t } from "../shared/language.js";

let clock = null;

export function show(state) {
  for (const id of ["empty", "loading", "error", "answer"]) $(id).hidden = id !== state;
}

/** A search has begun: `drawings` frames stand where the drawings will be; `words` say what comes. */
export function begin(drawings, words) {
  const began = performance.now();
  clearInterval(clock);
  const tick = () => { $("elapsed").textContent = seconds(performance.now() - began); };
  tick();
  clock = setInterval(tick, 100);
  doing(t("doing.search"));
  $("steps").removeAttribute("value");
  $("progress-hint").textContent = "";
  $("progress").hidden = false;
  $("loading-text").textContent = words;
  $("skeleton").replaceChildren(...frames(drawings));
  $("go").disabled = true;
  $("cancel").hidden = false;
  $("results").setAttribute("aria-busy", "true");
  show("loading");
  bringIntoView();
}

/** Empty frames for drawings that are under way. */
export const frames = (count) =>
  Array.from({ length: count }, () => el("li", { className: "frame", ariaHidden: "true" }));

export function doing(words, hint = "") {
  if ($("doing").textContent === words) return;
  $("doing").textContent = words;
  $("progress-hint").textContent = hint;
  $("announce").textContent = `${words} ${hint}`;
}

export function step(done, of) {
  $("steps").max = of;
  $("steps").value = done;
}

export function end() {
  clearInterval(clock);
  $("progress").hidden = true;
  $("go").disabled = false;
  $("cancel").hidden = true;
  $("results").removeAttribute("aria-busy");
}

/** A refusal, in the reader's own words where there are any. */
export function showError({ kind, problem, value, expected, remedy }) {
  const own = has(`problem.${kind}`);
  const theirs = [
    value === null || value === undefined || typeof value === "object" ? "" : t("error.given", { value: String(value) }),
    expected ? t("error.expected", { expected }) : "",
  ].filter(Boolean).join(" ");
  $("error-problem").textContent = own ? t(`problem.${kind}`) : problem;
  $("error-detail").textContent = own && !SAID.includes(kind) ? "" : theirs;
  // an option of the command line is a tick on this page
  const helps = has(`remedy.${kind}`) ? t(`remedy.${kind}`)
    : remedy ? t("error.remedy", { remedy: remedy.replace(/ \(--[\w-]+\)/g, "") }) : "";
  $("error-remedy").textContent = helps;
  show("error");
  bringIntoView();
}

// of these the server's own words say what was wrong with this very question
const SAID = ["report", "image", "filter", "input", "body_size"];

export function bringIntoView() {
  if ($("results").getBoundingClientRect().top > window.innerHeight * 0.7) {
    $("results").scrollIntoView({ behavior: "smooth", block: "start" });
  }
}
