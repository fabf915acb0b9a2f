// The larger view: a case beside what was asked, or beside another case.

import { ask, here, Refusal } from "../shared/api.js";
import { $, el } from "../shared/dom.js";
import { percent, t } from "../shared/language.js";
import { CARD_PX, nearness, titleOf } from "../visit/cards.js";
import { markButtons } from "../visit/marks.js";
import { attributesOf, showAttributes } from "./attributes.js";
import { beside, choose, offerBeside, offerSlide, pin, unpin, VIEWER_PX } from "./beside.js";
import { closeSlide, showSlide } from "./slide.js";
import { showWhy } from "./why.js";
import { Zoom } from "./zoom.js";

const zoom = new Zoom([$("pane-beside"), $("pane-case")], (level) => {
  $("zoom-level").textContent = percent(level);
});
// the cases that are leafed through, which of them, and which of its pictures
let now = { cases: [], place: 0, index: 0, siblings: [], whole: null, prototype: null };
let similar = () => {};
// the synthetic picture that was searched with, if one was made
let made = null;

function open(state, shown) {
  now = { cases: [], place: 0, index: 0, siblings: [], whole: null, prototype: null, ...state };
  made = shown.made ?? null;
  offerBeside(shown);
  zoom.reset();
  if (!$("viewer").open) $("viewer").showModal();
}

export function openCases(cases, place, shown) {
  unpin();
  open({ cases, place }, shown);
  showCase();
}

/** The cases of a rival beside a case of the leading diagnosis. */
export async function openBeside(cases, other, shown) {
  open({ cases }, shown);
  const whole = await wholeCase(other);
  pin(other, { ...other.images[0], ...whole?.images.find((one) => one.image_id === other.images[0].image_id) });
  showCase();
}

export function openPrototype(prototype, shown) {
  unpin();
  open({ prototype }, shown);
  const { provenance, seed, how } = prototype;
  pane("pane-case", {
    src: here(prototype.path), alt: how ? t(`made.${how}_alt`) : t("prototype.alt", { seed: String(seed) }), synthetic: true, widthPx: provenance.width_px,
  }, 1);
  pane("pane-beside", null, 0);
  titles(t(how ? "made" : "prototype"), t(how ? `made.${how}_text` : "prototypes.text"));
  $("viewer-place").textContent = "";
  $("viewer-caption").replaceChildren(t("prototype.seed", { seed: String(seed) }));
  showAttributes([
    [t("options.seed"), String(seed)], [t("fact.generator"), provenance.generator], [t("fact.steps"), String(provenance.steps)],
    [t("fact.guidance"), String(provenance.guidance)], [t("fact.size"), `${provenance.width_px} × ${provenance.height_px} px`],
  ], "");
  showReport(t("prototype.from"), provenance.source.text ?? t("picture.yours"));
  showWhy(null);
  note("");
  $("viewer-siblings").hidden = true;
  $("viewer-marks").replaceChildren();
  sides();
}

const found = () => now.cases[now.place];

async function showCase() {
  const mine = found();
  now.siblings = [...mine.images];
  now.index = 0;
  now.whole = null;
  showImage();
  const whole = await wholeCase(mine);
  if (found() !== mine || !whole) return;
  const own = new Set(mine.images.map((image) => image.image_id));
  now.whole = whole;
  now.siblings = [
    ...mine.images.map((image) => ({ ...whole.images.find((one) => one.image_id === image.image_id), ...image })),
    ...whole.images.filter((image) => !own.has(image.image_id)),
  ];
  showImage();
}

async function wholeCase({ case_id: id }) {
  try {
    return await ask(`v1/cases/${encodeURIComponent(id)}`);
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    note(t("viewer.not_whole"));
    return null;
  }
}

function showImage() {
  const { siblings, index, whole, cases, place } = now;
  const image = siblings[index];
  note("");
  pane("pane-case", {
    src: `${here(image.uri)}?size=${VIEWER_PX}`, alt: t("viewer.alt", { n: image.image_id, id: found().case_id, what: titleOf(image) }),
    widthPx: image.width_px, umPx: image.mpp_um, tag: image.origin === "real" ? "" : t(`origin.${image.origin}`),
    small: `${here(image.uri)}?size=${CARD_PX}`,
  }, 1);
  titles(titleOf(image), image.finding === image.diagnosis ? "" : image.finding);
  $("viewer-place").textContent = t("viewer.place", { n: place + 1, of: cases.length });
  $("viewer-caption").replaceChildren(nearness(found()));
  offerSlide(image);
  $("viewer-slide").hidden = !image.region;
  showBeside();
  showWhy(image, made);
  showReport(t("viewer.report"), whole?.report ?? "");
  $("viewer-marks").replaceChildren(markButtons(found().case_id));
  $("viewer-siblings").hidden = siblings.length < 2;
  $("viewer-siblings-title").textContent = t("viewer.images", { n: siblings.length });
  $("viewer-strip").replaceChildren(...siblings.map(thumbnail));
  sides();
}

function thumbnail(sibling, at) {
  const button = el("button", { type: "button" }, el("img", {
    src: `${here(sibling.uri)}?size=${CARD_PX}`, alt: t("viewer.image", { n: at + 1, what: titleOf(sibling) }), loading: "lazy",
  }));
  if (at === now.index) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => turn(at - now.index));
  return el("li", {}, button);
}

function showBeside() {
  const left = beside();
  const slide = left?.key === "slide";
  pane("pane-beside", slide ? null : left, 0);
  $("slide").hidden = !slide;
  $("pane-beside").classList.toggle("is-empty", !left);
  if (slide) showSlide(left.image);
  const rows = attributesOf(found(), now.siblings[now.index]);
  showAttributes(rows, found().case_id, left?.found
    ? { title: left.found.case_id, rows: attributesOf(left.found, left.image) } : null);
}

function pane(id, picture, index) {
  const figure = $(id);
  figure.classList.toggle("is-empty", !picture);
  figure.querySelector(".stage").hidden = !picture;
  if (!picture) return;
  const image = figure.querySelector("img");
  const tag = figure.querySelector(".tag");
  figure.classList.toggle("is-synthetic", Boolean(picture.synthetic));
  tag.hidden = !picture.synthetic && !picture.tag;
  tag.className = picture.synthetic ? "tag synthetic" : "tag";
  tag.textContent = picture.synthetic ? t("synthetic") : picture.tag ?? "";
  figure.querySelector(".stage").setAttribute("aria-label", picture.alt);
  image.alt = picture.alt;
  image.onerror = picture.small ? () => {
    image.onerror = null;
    image.src = picture.small;
    note(t("viewer.small_copy"));
  } : null;
  if (image.getAttribute("src") !== picture.src) image.src = picture.src;
  zoom.describe(index, picture);
}

function titles(title, subtitle) {
  $("viewer-title").textContent = title;
  $("viewer-subtitle").textContent = subtitle;
}

function showReport(title, text) {
  $("viewer-report").hidden = !text;
  $("viewer-report-title").textContent = title;
  $("viewer-report-text").textContent = text;
}

function sides() {
  const one = now.cases.length < 2;
  $("viewer-previous").disabled = one;
  $("viewer-next").disabled = one;
  $("pane-beside").hidden = Boolean(now.prototype);
  $("viewer-slide").hidden ||= Boolean(now.prototype);
  $("viewer-pin").hidden = Boolean(now.prototype);
  $("zoom-linked-label").hidden = Boolean(now.prototype) || !beside() || !$("slide").hidden;
  zoom.draw();
}

function note(text) {
  $("viewer-note").textContent = text;
  $("viewer-note").hidden = !text;
}

/** To another case. */
function leaf(by) {
  if (now.cases.length < 2) return;
  now.place = (now.place + by + now.cases.length) % now.cases.length;
  showCase();
}

/** To another picture of the case. */
function turn(by) {
  if (now.siblings.length < 2) return;
  const strip = $("viewer-strip").contains(document.activeElement);
  now.index = (now.index + by + now.siblings.length) % now.siblings.length;
  showImage();
  if (strip) $("viewer-strip").querySelector("[aria-current]").focus();
}

async function findSimilar(varied) {
  try {
    const response = await fetch($("viewer-picture").src);
    if (!response.ok) throw new Error(String(response.status));
    const blob = await response.blob();
    $("viewer").close();
    similar(new File([blob], t("picture.of_answer"), { type: blob.type }), varied);
  } catch {
    note(t("viewer.not_similar"));
  }
}

const KEYS = {
  ArrowRight: () => leaf(1), ArrowLeft: () => leaf(-1), ArrowDown: () => turn(1), ArrowUp: () => turn(-1),
  "+": () => zoom.in(), "=": () => zoom.in(), "-": () => zoom.out(), 0: () => zoom.reset(),
};
const PANS = { ArrowRight: [0.1, 0], ArrowLeft: [-0.1, 0], ArrowDown: [0, 0.1], ArrowUp: [0, -0.1] };

/** `searchLike` searches with a picture that a reader chose here. */
export function prepareViewer(searchLike) {
  similar = searchLike;
  const on = (id, act) => $(id).addEventListener("click", act);
  on("viewer-previous", () => leaf(-1));
  on("viewer-next", () => leaf(1));
  on("viewer-close", () => $("viewer").close());
  on("viewer-similar", () => findSimilar(false));
  on("viewer-vary", () => findSimilar(true));
  on("viewer-pin", () => { pin(found(), now.siblings[now.index]); showBeside(); sides(); });
  on("viewer-slide", () => { choose("slide"); showBeside(); sides(); });
  on("zoom-in", () => zoom.in());
  on("zoom-out", () => zoom.out());
  on("zoom-fit", () => zoom.reset());
  $("zoom-linked").addEventListener("change", () => { zoom.linked = $("zoom-linked").checked; });
  $("viewer-beside").addEventListener("change", () => {
    choose($("viewer-beside").value);
    showBeside();
    sides();
  });
  $("viewer").addEventListener("click", (event) => {
    if (event.target === $("viewer")) $("viewer").close();
  });
  $("viewer").addEventListener("close", () => {
    for (const image of $("viewer").querySelectorAll(".stage img")) image.removeAttribute("src");
    closeSlide();
  });
  $("viewer").addEventListener("keydown", (event) => {
    const scrolls = event.target.matches(".about") && ["ArrowUp", "ArrowDown"].includes(event.key);
    if (event.target.matches("select, input") || scrolls || $("slide").contains(event.target)) return;
    if (event.shiftKey && PANS[event.key]) zoom.pan(...PANS[event.key]);
    else if (KEYS[event.key]) KEYS[event.key]();
    else return;
    event.preventDefault();
  });
}
