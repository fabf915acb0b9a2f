// What is asked: the form, read and filled.

import { $, el } from "../shared/dom.js";
import { t } from "../shared/language.js";
import { archive, setWhere, where } from "./archive.js";
import { making } from "./making.js";
import { clearMarks, dropMarks, marked } from "./marks.js";
import { forgetPicture, searchedPicture } from "./picture.js";

const EXAMPLES = {
  granules: "Bilobed nucleus; the cytoplasm is packed with coarse orange-red granules.",
  halos: "Koilocytes with perinuclear halos, low-grade lesion.",
  rim: "Small round cell with dense chromatin and a thin rim of pale blue cytoplasm.",
};
const VARIED = 0.5;
const TICKS = {
  as_written: "as-written", all_sites: "all-sites", unspecified_sites: "unspecified-sites",
  near_duplicates: "near-duplicates", translate: "translate",
};
const TABS = ["report", "picture", "layout"];

export let tab = "report";

export function chooseTab(name) {
  tab = name;
  for (const which of TABS) {
    const chosen = which === name;
    $(`tab-${which}`).setAttribute("aria-selected", String(chosen));
    $(`tab-${which}`).tabIndex = chosen ? 0 : -1;
    $(`panel-${which}`).hidden = !chosen;
  }
  showReportOptions();
}

export const asksReport = () =>
  tab === "report" || ($("with-report").checked && Boolean($("report").value.trim()));

function showReportOptions() {
  const empty = !$("report").value.trim();
  $("with-report").disabled = empty;
  $("with-report-hint").hidden = !empty;
  for (const field of document.querySelectorAll(".report-only")) field.classList.toggle("off", !asksReport());
  document.querySelector(".seeded").classList.toggle("off", tab !== "layout" && !asksReport());
}

/** The first thing that keeps from searching: its field, and the message's key. */
export function fault() {
  for (const field of $("ask").querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  if (tab === "report" && !$("report").value.trim()) return [$("report"), "fault.report"];
  if (tab === "picture" && !searchedPicture()) return [$("picture"), "fault.picture"];
  const wrong = tab === "layout" && making.layoutFault();
  if (wrong) return wrong;
  for (const id of asksReport() ? ["prototypes", "seed", "k"] : tab === "layout" ? ["seed", "k"] : ["k"]) {
    if (!$(id).checkValidity()) return [$(id), "fault.range"];
  }
  return null;
}

/** The question as POST /v1/search takes it, or POST /v1/search/layout. */
export function question() {
  const ofReport = asksReport() && {
    report: $("report").value,
    as_written: $("as-written").checked,
    specimen: $("specimen").value,
    all_sites: $("all-sites").checked,
    unspecified_sites: $("unspecified-sites").checked,
    ...($("mode").value ? { mode: $("mode").value } : {}),
    prototypes: Number($("prototypes").value),
    seed: Number($("seed").value),
  };
  const ofPicture = tab === "picture" && Number($("variations").value) && {
    variations: Number($("variations").value), seed: Number($("seed").value),
  };
  const translated = tab === "picture" && archive.translator && $("translate").checked;
  return {
    ...ofReport,
    ...ofPicture,
    ...(translated ? { translate: true } : {}),
    ...(tab === "layout" ? { layout: making.askedLayout(), seed: Number($("seed").value) } : {}),
    k: Number($("k").value),
    unlike: $("unlike").value.trim(),
    diversity: $("varied").checked ? VARIED : 0,
    near_duplicates: $("near-duplicates").checked,
    rivals: true,
    where: where(),
    ...marked(),
  };
}

/** The same as a form, with the picture. */
export function pictureForm(asked) {
  const form = new FormData();
  form.append("image", searchedPicture(), "picture");
  for (const [name, value] of Object.entries({ ...asked, where: JSON.stringify(asked.where) })) {
    for (const one of [value].flat()) form.append(name, one);
  }
  return form;
}

/** Puts a question of before into the form. */
export function fill(asked) {
  if (asked.report) $("report").value = asked.report;
  for (const name of ["mode", "prototypes", "seed", "k", "unlike", "specimen"]) {
    if (asked[name] !== undefined && asked[name] !== null) $(name).value = asked[name];
  }
  for (const [name, id] of Object.entries(TICKS)) if ($(id)) $(id).checked = Boolean(asked[name]);
  $("varied").checked = asked.diversity > 0;
  setWhere(asked.where ?? {});
  if (asked.layout && archive.layouts) {
    making.setLayout(asked.layout);
    chooseTab("layout");
  }
  showReportOptions();
}

export function emptyForm() {
  $("ask").reset();
  $("specimen").value = "";
  setWhere({});
  forgetPicture();
  if (archive?.layouts) making.setLayout(null);
  clearMarks();
  chooseTab("report");
}

function reportChanged() {
  dropMarks();
  $("specimen").value = "";
  showReportOptions();
}

export function prepareForm(search) {
  for (const [name, text] of Object.entries(EXAMPLES)) {
    const example = el("button", { type: "button", title: text, lang: "en" }, t(`example.${name}`));
    example.addEventListener("click", () => {
      $("report").value = text;
      reportChanged();
      $("report").focus();
    });
    $("examples").append(el("li", {}, example));
  }
  $("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  $("report").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      search();
    }
  });
  $("report").addEventListener("input", reportChanged);
  $("with-report").addEventListener("change", showReportOptions);
  $("reseed").addEventListener("click", () => {
    $("seed").value = crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000;
  });
  for (const name of TABS) {
    $(`tab-${name}`).addEventListener("click", () => chooseTab(name));
    $(`tab-${name}`).addEventListener("keydown", (event) => {
      if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      const shown = TABS.filter((one) => !$(`tab-${one}`).hidden);
      const by = event.key === "ArrowRight" ? 1 : -1;
      const other = shown[(shown.indexOf(name) + by + shown.length) % shown.length];
      chooseTab(other);
      $(`tab-${other}`).focus();
    });
  }
}
