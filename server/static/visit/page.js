// The page at /: report → live progress → answer → compare → refine → keep. No framework, nothing from elsewhere.

import { $, button, el } from "../shared/dom.js";
import { list, offerLanguages, readMessages, t } from "../shared/language.js";
import { prepareHistory, remember } from "../keep/history.js";
import { fillSheet, prepareKeeping } from "../keep/keep.js";
import { changes, linked, linkOf, questionOf } from "../keep/link.js";
import { forgetTab, keepAnswer, keptAnswer, reportOf } from "../keep/session.js";
import { showAnswer } from "./answer.js";
import { archive, readArchive, session } from "./archive.js";
import { chooseTab, emptyForm, fill, prepareForm } from "./ask.js";
import { prepareChips } from "./chips.js";
import { offerDrift } from "./drift.js";
import { making, offerMaking } from "./making.js";
import { clearMarks, holdMarks, setMarks } from "./marks.js";
import { choosePicture, preparePicture } from "./picture.js";
import { cancel, search } from "./search.js";
import { summaryOf } from "./sentences.js";
import { show, showError } from "./states.js";
import { prepareViewer } from "./viewer.js";

// the plan of the link that this visit came by, until something else is searched
let wanted = null;

const VARIATIONS = 4;

const go = () => search(keep);

async function keep(found) {
  // what was made of a patient's picture is remembered nowhere
  const { searched_with: made } = found.answer;
  const kept = {
    ...found, at: Date.now(),
    answer: { ...found.answer, variations: [], searched_with: made && { ...made, png: "" } },
  };
  keepAnswer(kept);
  fillSheet(kept);
  compareWithLink(found.answer.plan);
  const link = await linkOf(found.answer, found.asked);
  window.history.replaceState(null, "", link);
  remember(link, summaryOf(found.answer)[0]?.text ?? "");
}

function compareWithLink(plan) {
  if (!wanted) return;
  const changed = changes(wanted, plan);
  sayOfLink(changed.length
    ? t("link.changed", { what: list(changed.map((name) => t(`change.${name}`))) })
    : t("link.same"));
  wanted = null;
  holdMarks(false);
}

function sayOfLink(text, ...more) {
  $("linked").replaceChildren(el("p", {}, text), ...more);
  $("linked").hidden = false;
}

async function resume() {
  const link = await linked();
  const kept = keptAnswer();
  if (kept && (!link || !changes(link.plan, kept.answer.plan).length)) {
    fill(kept.asked);
    setMarks(kept.asked);
    showAnswer(kept.answer, { asked: kept.asked });
    fillSheet(kept);
    return;
  }
  if (link === undefined) sayOfLink(t("link.damaged"));
  if (link) await follow(link);
}

async function follow(link) {
  const { plan } = link;
  wanted = plan;
  holdMarks(true);
  const asked = await questionOf(link, archive.fields);
  fill({ ...asked, report: reportOf(plan.report) });
  setMarks(asked);
  const version = t("link.version", { version: plan.archive_version });
  if (link.layout && archive.layouts) {
    const placed = Array.isArray(link.layout);
    making.setLayout(placed ? { points: link.layout } : "");
    chooseTab("layout");
    sayOfLink(`${t(placed ? "link.layout" : "link.layout_words")} ${version}`, ...(placed ? [button(t("search"), go)] : []));
  } else if (plan.image) {
    chooseTab("picture");
    sayOfLink(`${t("link.picture")} ${version}`);
  } else if ($("report").value) {
    sayOfLink(`${t("link.here")} ${version}`, button(t("search"), go));
  } else {
    sayOfLink(`${t("link.report")} ${version}`);
    $("report").focus();
  }
}

function startAgain() {
  cancel();
  forgetTab();
  holdMarks(false);
  emptyForm();
  wanted = null;
  $("linked").hidden = true;
  $("kept").textContent = "";
  window.history.replaceState(null, "", window.location.pathname);
  show("empty");
  $("report").focus();
}

async function begin() {
  await readMessages();
  offerLanguages($("language"));
  prepareForm(go);
  preparePicture(chooseTab);
  prepareChips(go);
  const vary = () => {
    $("variations").value = VARIATIONS;
    go();
  };
  prepareViewer(async (file, varied) => {
    chooseTab("picture");
    await choosePicture(file);
    if (varied) vary();
    else go();
  });
  $("vary").addEventListener("click", vary);
  prepareKeeping();
  prepareHistory();
  $("marks-search").addEventListener("click", go);
  $("marks-clear").addEventListener("click", clearMarks);
  $("cancel").addEventListener("click", cancel);
  $("clear").addEventListener("click", startAgain);
  $("error-again").addEventListener("click", () => (archive ? go() : window.location.reload()));
  document.body.classList.add("ready");
  await readArchive();
  await offerMaking(archive, go);
  offerDrift(session);
  await resume();
}

begin().catch((error) => showError(error.detail ?? { problem: error.message }));
