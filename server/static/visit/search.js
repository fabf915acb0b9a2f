// A search on its way: asked, followed step by step, answered.

import { ask, events, json, Refusal, unreachable } from "../shared/api.js";
import { $ } from "../shared/dom.js";
import { t } from "../shared/language.js";
import { patiently } from "../shared/waiting.js";
import { showAnswer, showDrawing } from "./answer.js";
import { archive } from "./archive.js";
import { asksReport, fault, pictureForm, question, tab } from "./ask.js";
import { searchedPicture } from "./picture.js";
import { begin, doing, end, show, showError, step } from "./states.js";

let running = null;

export const cancel = () => running?.abort();

/** Searches for what the form says; `keep` gets the question and its answer. */
export async function search(keep) {
  const wrong = fault();
  if (wrong) {
    showFault(...wrong);
    return;
  }
  running?.abort();
  const mine = (running = new AbortController());
  const asked = question();
  const draws = asksReport() && asked.mode !== "text" && Boolean(archive?.generator);
  const before = $("answer").hidden ? "empty" : "answer";
  begin(draws ? asked.prototypes : tab === "layout" ? 1 : 0, t(tab === "report" ? "loading.text" : "loading.made"));
  try {
    const answer = await patiently(
      () => WAYS[tab](asked, mine.signal), wait, mine.signal);
    if (running !== mine) return;
    showAnswer(answer, { asked, picture: tab === "picture" ? searchedPicture() : null });
    keep({ asked, answer, tab });
  } catch (error) {
    if (running !== mine) return;
    if (error.name === "AbortError") show(before);
    else if (error instanceof Refusal) showError(error.detail);
    else throw error;
  } finally {
    if (running === mine) {
      running = null;
      end();
    }
  }
}

function showFault(field, key) {
  const label = field.closest(".field")?.querySelector("label").textContent;
  field.setAttribute("aria-invalid", "true");
  showError({
    problem: t(key, { label }),
    remedy: t(`${key}.remedy`, { low: Number(field.min), high: Number(field.max) }),
  });
  const folded = field.closest("details");
  if (folded) folded.open = true;
  field.focus();
}

function wait({ detail }) {
  show("loading");
  doing(t(detail.kind === "not_ready" ? "doing.models" : "doing.busy"), t("doing.wait"));
}

const byPicture = (asked, signal) => {
  if (asked.translate) doing(t("doing.translate"), t("doing.translate_hint"));
  else doing(t(asked.variations ? "doing.vary" : "doing.search"));
  return ask("v1/search/image", { method: "POST", signal, body: pictureForm(asked) });
};

const byLayout = (asked, signal) => {
  doing(t("doing.layout"), t("doing.layout_hint"));
  return ask("v1/search/layout", { ...json(asked), signal });
};

const WAYS = { report: streamed, picture: byPicture, layout: byLayout };

async function streamed(asked, signal) {
  for await (const [name, data] of events("v1/search/stream", { ...json(asked), signal })) {
    if (name === "answer") return data;
    if (name === "problem") throw new Refusal(data);
    if (name === "cases") {
      showAnswer(data, { asked, pending: asked.prototypes });
      doing(t("doing.draw"), t("doing.draw_hint"));
    }
    if (name === "prototype") showDrawing(data);
    if (name === "queue" && data.ahead) doing(t("doing.queue", { n: data.ahead }), t("doing.queue_hint"));
    if (name === "step") {
      doing(t("doing.draw"), t("doing.draw_hint"));
      step(data.done, data.of);
    }
  }
  throw unreachable();
}
