// Nuclei to search by: placed on a square, by pointer or by keys, or told in words.

import { $, el } from "../shared/dom.js";
import { list, number, t } from "../shared/language.js";
import { dropMarks } from "../visit/marks.js";

const NEAR = 0.035;
const STEP = 0.05;
const FINE = 0.01;
const LAST = 0.999;
const SHAPES = 6;
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

let can = null;
// x and y as shares of the sides
let nuclei = [];
let before = [];
let cursor = { x: 0.5, y: 0.5 };

const inWords = () => $("layout-by-words").checked;

/** What is asked: words, or points; null where nothing is. */
export function askedLayout() {
  if (inWords()) return $("layout-words").value.trim() || null;
  return nuclei.length ? { points: nuclei } : null;
}

/** What keeps a layout from being searched with: its field, and the message's key. */
export function layoutFault() {
  if (askedLayout()) return null;
  return inWords() ? [$("layout-words"), "fault.layout_words"] : [$("layout-field"), "fault.layout"];
}

/** Puts a layout of before into the form. */
export function setLayout(layout) {
  const words = typeof layout === "string";
  $(words ? "layout-by-words" : "layout-by-points").checked = true;
  $("layout-words").value = words ? layout : "";
  nuclei = layout?.points ?? [];
  before = [];
  show();
}

/** A layout on paper. */
export const layoutWords = (layout) =>
  typeof layout === "string" ? layout : t("layout.count", { n: layout.points.length });

/** Offers the kinds that the server's model draws; without a model nothing shows. */
export function offerLayouts(layouts) {
  can = layouts;
  $("tab-layout").hidden = !can;
  if (!can) return;
  $("layout-kinds").hidden = can.kinds.length < 2;
  $("layout-kind-list").replaceChildren(...can.kinds.map((kind, place) => el("label", { className: "check" },
    el("input", { type: "radio", name: "layout-kind", value: kind, checked: place === 0 }),
    mark(place), el("span", { lang: "en" }, kind))));
  $("layout-words-hint").textContent = can.kinds.length < 2
    ? t("layout.words_hint_one") : t("layout.words_hint", { kinds: list(can.kinds) });
  show();
}

const kindNow = () => document.querySelector("[name=layout-kind]:checked")?.value ?? can.kinds[0];

const mark = (place) => {
  const node = el("i", { className: "nucleus", ariaHidden: "true" });
  node.dataset.shape = place % SHAPES;
  return node;
};

function change(next) {
  before.push(nuclei);
  nuclei = next;
  dropMarks();
  show();
}

function toggle({ x, y }) {
  const apart = (one) => Math.hypot(one.x - x, one.y - y);
  const nearest = [...nuclei].sort((one, other) => apart(one) - apart(other))[0];
  if (nearest && apart(nearest) < NEAR) change(nuclei.filter((one) => one !== nearest));
  else if (nuclei.length < can.most) change([...nuclei, { x, y, type: kindNow() }]);
  else $("layout-count").textContent = t("layout.full", { n: number(can.most) });
}

function undo() {
  if (!before.length) return;
  nuclei = before.pop();
  dropMarks();
  show();
}

function show() {
  $("layout-points").hidden = inWords();
  $("layout-in-words").hidden = !inWords();
  $("layout-nuclei").replaceChildren(...nuclei.map(({ x, y, type }) => placed(mark(can.kinds.indexOf(type)), { x, y })));
  placed($("layout-cursor"), cursor);
  $("layout-count").textContent = nuclei.length ? counts() : t("layout.none");
  $("layout-undo").disabled = !before.length;
  $("layout-clear").disabled = !nuclei.length;
}

function placed(node, { x, y }) {
  node.style.left = `${x * 100}%`;
  node.style.top = `${y * 100}%`;
  return node;
}

function counts() {
  const all = t("layout.count", { n: nuclei.length });
  const kinds = can.kinds.map((kind) => [kind, nuclei.filter(({ type }) => type === kind).length]).filter(([, n]) => n);
  return kinds.length < 2 ? all : `${all}: ${list(kinds.map(([kind, n]) => `${n} ${kind}`))}`;
}

const within = (value) => Math.round(Math.min(Math.max(value, 0), LAST) * 1000) / 1000;

function press(event) {
  const way = WAYS[event.key];
  if (way) {
    const [x, y] = way.map((one) => one * (event.shiftKey ? FINE : STEP));
    cursor = { x: within(cursor.x + x), y: within(cursor.y + y) };
    show();
    $("layout-at").textContent = t("layout.at", { x: Math.round(cursor.x * 100), y: Math.round(cursor.y * 100) });
  } else if (["Enter", " "].includes(event.key) && !event.ctrlKey && !event.metaKey) toggle(cursor);
  else if (event.key === "Backspace" || (event.key === "z" && (event.ctrlKey || event.metaKey))) undo();
  else return;
  event.preventDefault();
}

export function prepareLayout(search) {
  $("layout-field").addEventListener("click", (event) => {
    const frame = $("layout-field").getBoundingClientRect();
    cursor = {
      x: within((event.clientX - frame.left) / frame.width), y: within((event.clientY - frame.top) / frame.height),
    };
    toggle(cursor);
  });
  $("layout-field").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) search();
    else press(event);
  });
  $("layout-undo").addEventListener("click", undo);
  $("layout-clear").addEventListener("click", () => {
    change([]);
    $("layout-field").focus();
  });
  for (const id of ["layout-by-points", "layout-by-words"]) {
    $(id).addEventListener("change", () => { dropMarks(); show(); });
  }
  $("layout-words").addEventListener("input", dropMarks);
}
