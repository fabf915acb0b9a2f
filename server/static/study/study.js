// The page of a reader study: one picture after the other, an answer each, kept for good.

import { ask, json, Refusal } from "../shared/api.js";
import { $, el, joined } from "../shared/dom.js";
import { date, has, list, offerLanguages, readMessages, t } from "../shared/language.js";
import { proof, show, token } from "./pictures.js";

const SURE = [1, 2, 3, 4, 5];
const PLACES = ["first", "second", "third"];

let view = null;
let seenMs = 0;
let seenSince = null;

// only while the page is in view does a picture take time
function watch() {
  if (seenSince !== null) seenMs += performance.now() - seenSince;
  seenSince = document.visibilityState === "visible" ? performance.now() : null;
}

const choiceName = (choice) => (has(`study.choice.${choice}`) ? t(`study.choice.${choice}`) : choice);

async function draw(next) {
  view = next;
  const { phase, title, reader, done, of, period } = view;
  $("title").textContent = title;
  $("who").textContent = t("study.reader", { code: reader });
  $("progress").textContent = joined(
    t("study.progress", { done, of }), view.kind === "diagnosis" ? t("study.period", { n: period }) : "");
  $("problem").hidden = true;
  $("reading").hidden = phase !== "reading";
  $("rest").hidden = phase === "reading";
  if (phase === "reading") await drawReading(view.now);
  else await drawRest();
}

async function drawReading({ picture, aided, help }) {
  $("missing").textContent = "";
  $("picture").removeAttribute("src");
  $("picture").alt = t("study.picture");
  $("question").textContent = t(`study.ask.${view.kind}`);
  $("way").textContent = view.kind === "diagnosis" && !aided ? t("study.without") : "";
  $("choice-list").replaceChildren(...(view.most_answers === 1 ? radios("choice", view.choices, choiceName) : selects()));
  $("confidence").replaceChildren(...radios("sure", SURE, (level) => t(`study.confidence.${level}`)));
  $("help").hidden = !aided;
  const shown = help.map((one) => {
    const image = el("img", { alt: t("study.help.alt", { what: one.diagnosis }) });
    return [image, one, el("li", {}, image, el("b", {}, one.diagnosis), one.finding ? el("p", { className: "hint" }, one.finding) : null)];
  });
  $("help-list").replaceChildren(...shown.map(([, , node]) => node));
  await Promise.all([
    show($("picture"), picture), ...shown.map(([image, one]) => show(image, one.picture)),
  ]);
  seenMs = 0;
  seenSince = null;
  watch();
  $("reading").querySelector("select, input").focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

function radios(name, values, label) {
  return values.map((value) => el("label", { className: "check" },
    el("input", { type: "radio", name, value: String(value) }), ` ${label(value)}`));
}

function selects() {
  return PLACES.slice(0, view.most_answers).map((place) => el("div", { className: "field" },
    el("label", { htmlFor: `answer-${place}` }, t(`study.${place}`)),
    el("select", { id: `answer-${place}` },
      el("option", { value: "" }, t("study.none")),
      ...view.choices.map((choice) => el("option", { value: choice }, choiceName(choice))))));
}

function answers() {
  if (view.most_answers === 1) return [...$("reading").querySelectorAll("[name=choice]:checked")].map((one) => one.value);
  const given = PLACES.map((place) => $(`answer-${place}`).value);
  return given[0] ? [...new Set(given.filter(Boolean))] : [];
}

async function answer(event) {
  event.preventDefault();
  const sure = $("reading").querySelector("[name=sure]:checked");
  const given = answers();
  if (!given.length || !sure) {
    $("missing").textContent = t("study.missing");
    return;
  }
  watch();
  $("next").disabled = true;
  try {
    const { headers, ...rest } = json({
      reading: view.now.reading, answers: given, confidence: Number(sure.value), took_ms: Math.round(seenMs),
    });
    await draw(await ask("v1/study/answers", { ...rest, headers: { ...headers, ...proof } }));
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    problem(refusal.detail);
  } finally {
    $("next").disabled = false;
  }
}

async function drawRest() {
  const washout = view.phase === "washout";
  $("rest-title").textContent = t(washout ? "study.washout" : "study.done");
  $("rest-text").textContent = washout ? t("study.washout.text", { date: date(view.opens_at) }) : t("study.done.text");
  const shown = view.results.map((result) => [result, el("img", { alt: choiceName(result.truth) })]);
  $("results").replaceChildren(...shown.map(([result, image]) => el("li", { className: result.drawn ? "drawn" : "" },
    image,
    result.drawn ? el("span", { className: "tag synthetic" }, t("synthetic")) : null,
    el("p", {}, t("study.was", { truth: choiceName(result.truth) })),
    el("p", { className: result.answers[0] === result.truth ? "hint" : "missed" },
      t("study.said", { answer: list(result.answers.map(choiceName)) })),
    view.kind === "diagnosis" ? el("p", { className: "hint" }, t(result.aided ? "study.aided" : "study.unaided")) : null)));
  $("rest").focus();
  await Promise.all(shown.map(([result, image]) => show(image, result.picture)));
}

function problem({ kind, problem: said }) {
  $("problem").textContent = kind === "not_found" ? t("study.unknown")
    : has(`problem.${kind}`) ? joined(t(`problem.${kind}`), t(`remedy.${kind}`)) : said;
  $("problem").hidden = false;
}

async function begin() {
  await readMessages("study");
  offerLanguages($("language"));
  document.body.classList.add("ready");
  document.addEventListener("visibilitychange", watch);
  window.addEventListener("hashchange", () => window.location.reload());
  $("reading").addEventListener("submit", answer);
  if (!token) {
    $("problem").textContent = t("study.no_link");
    $("problem").hidden = false;
    return;
  }
  await draw(await ask("v1/study", { headers: proof }));
}

begin().catch((error) => problem(error.detail ?? { problem: error.message }));
