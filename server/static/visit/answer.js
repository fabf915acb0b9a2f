// The answer: its parts in the order in which a reader needs them.

import { $, addressOf, el, joined } from "../shared/dom.js";
import { list, number, seconds, t } from "../shared/language.js";
import { fieldName, modeName } from "./archive.js";
import { caseCard, prototypeCard, smallCard } from "./cards.js";
import { showChips } from "./chips.js";
import { making } from "./making.js";
import { marked, showMarks } from "./marks.js";
import { showReading } from "./reading.js";
import { showRivals } from "./rivals.js";
import { detailsOf, summaryOf } from "./sentences.js";
import { bringIntoView, frames, show } from "./states.js";
import { showSupport } from "./support.js";
import { openCases, openPrototype } from "./viewer.js";

/** What stands on the page: the answer, the question, the picture that was searched with, all drawings. */
export let shown = null;

/** Shows an answer; `pending` drawings are still being made, `picture` was searched with. */
export function showAnswer(answer, { asked, picture = null, pending = 0 }) {
  for (const { address } of shown?.drawn ?? []) URL.revokeObjectURL(address);
  const { cases, prototypes } = answer;
  const made = making?.madeOf(answer) ?? null;
  shown = {
    answer, asked, picture, made,
    drawn: [...(made ? [made] : []), ...prototypes, ...(answer.variations ?? []).map(ofPicture)],
  };
  showSentences(answer, pending);
  showChips(answer, asked);
  showReading(answer.query);
  showPrototypes(shown.drawn, pending);
  making?.showMeasures(made);
  $("prototypes-title").textContent = t(made ? "made" : "prototypes");
  $("prototypes-text").textContent = t(
    made ? `made.${made.how}_text` : answer.variations?.length ? "vary.text" : "prototypes.text");
  showSupport(answer);
  showOwn(answer);
  const onlyReal = cases.every((found) => found.images.every((image) => image.origin === "real"));
  $("cases-title").textContent = t(!cases.length ? "cases.none" : onlyReal ? "cases.real" : "cases");
  $("cases-facts").textContent = facts(answer, asked, Boolean(picture));
  $("case-list").replaceChildren(...cases.map((found, place) =>
    caseCard(found, place, cases, () => openCases(cases, place, shown))));
  $("no-cases").hidden = cases.length > 0;
  showRivals(answer.rivals, shown);
  $("timing-list").replaceChildren(...Object.entries(answer.timings_ms).map(([stage, ms]) =>
    el("div", {}, el("dt", { lang: "en" }, stage), el("dd", {}, `${number(Math.round(ms))} ms`))));
  showMarks();
  document.querySelector(".keep").hidden = pending > 0;
  $("kept").textContent = "";
  $("linked").hidden = $("linked").hidden || pending === 0;
  show("answer");
  if (!pending) announce(answer);
  bringIntoView();
}

function showSentences(answer, pending) {
  const line = ({ level, text, lang }) => el("li", { className: level, ...(lang ? { lang } : {}) }, text);
  $("summary").replaceChildren(
    ...(pending ? [el("li", { className: "pending" }, t("pending"))] : []),
    ...summaryOf(answer).map(line));
  $("details").replaceChildren(...detailsOf(answer).map(line));
}

/** A drawing from a picture as one from a report is: its pixels come with the answer. */
function ofPicture(one) {
  const address = addressOf(one.png);
  return { ...one, id: `variation-${one.seed}`, path: address, address, passed: null };
}

/** A drawing takes the place of the first empty frame. */
export function showDrawing(one) {
  const frame = $("results").querySelector(".state:not([hidden]) .frame, #answer:not([hidden]) .frame");
  frame?.replaceWith(prototypeCard(one, () => openPrototype(one, { answer: {}, drawn: [one] })));
}

function showPrototypes(prototypes, pending) {
  $("prototype-room").hidden = !prototypes.length && !pending;
  const refused = prototypes.filter(({ passed }) => passed === false);
  const card = (one) => prototypeCard(one, () => openPrototype(one, shown));
  $("prototype-list").replaceChildren(
    ...prototypes.filter((one) => !refused.includes(one)).map(card), ...frames(pending));
  $("refused").hidden = refused.length === 0;
  $("refused").open = refused.length > 0 && refused.length === prototypes.length;
  $("refused-title").textContent = t("prototypes.refused", { n: refused.length });
  $("refused-list").replaceChildren(...refused.map(card));
}

function showOwn({ own }) {
  $("own").hidden = own.length === 0;
  const cases = own.map((one) => one.case);
  $("own-list").replaceChildren(...own.map(({ case: found, because }, place) =>
    smallCard(found, t(because === "marked" ? "own.marked" : "own.picture"),
      () => openCases(cases, place, shown))));
}

function facts({ cases, query, timings_ms: timings, searched_with: made }, asked, byPicture) {
  const { liked, disliked } = marked();
  const marks = liked.length + disliked.length;
  return joined(
    t(asked.diversity > 0 ? "cases.varied" : "cases.nearest", { n: cases.length }),
    ...Object.entries(asked.where ?? {}).map(([name, value]) => `${fieldName(name)}: ${list([value].flat())}`),
    modeName(made && query.mode === "image" ? made.how : query.mode),
    byPicture && query.mode !== "image" ? t("cases.with_picture") : "",
    marks ? t("cases.moved", { n: marks }) : "",
    seconds(timings.total));
}

function announce({ cases, ...answer }) {
  const [first] = summaryOf({ cases, ...answer });
  $("announce").textContent = cases.length
    ? `${first ? first.text : ""} ${t("announce", { n: cases.length, diagnosis: cases[0].diagnosis || t("no_diagnosis") })}`
    : t("cases.none_hint");
}
