// How a report was understood: its parts that were searched, and those that were not.

import { $, el } from "../shared/dom.js";
import { list, t } from "../shared/language.js";

const KINDS = { kept: "searched", left_out: "left-out", unread: "unread" };

export function showReading(query) {
  const { report, corrections, offers, left_out: leftOut, unread } = query;
  // a report of a picture's search, and one that was searched whole and fits its field, stands there already
  $("reading").hidden = ![leftOut, unread, corrections, offers].some((list) => list.length);
  if ($("reading").hidden) return;
  $("reading-text").replaceChildren(...parts(query));
  $("reading-text").scrollTop = 0;
  $("reading-reasons").replaceChildren(...leftOut.map(({ text, because, cue }) =>
    el("li", {}, el("q", {}, text), ` ${t(`left_out.${because}`)}${cue && cue !== text ? ` (“${cue}”)` : ""}`)));
  $("reading-why").hidden = !leftOut.length;
  $("reading-spelling").replaceChildren(
    ...corrections.map((one) => el("li", {}, t("reading.read_as"), " ", el("b", {}, one.text), `: ${one.written}`)),
    ...offers.map((one) => el("li", {}, t("reading.unchanged"), " ", el("b", {}, one.text), "; ",
      t("reading.meant", { words: list(one.meant) }))));
  $("reading-unread").hidden = !unread.length;
  $("reading-text").classList.toggle("long", report.length > 600);
}

function parts({ report, kept, left_out: leftOut, unread }) {
  // what nobody reads lies within what is searched, so it is drawn over it
  const kinds = new Array(report.length).fill("");
  for (const [kind, spans] of Object.entries({ kept, left_out: leftOut, unread })) {
    for (const { start, end } of spans) kinds.fill(KINDS[kind], ...codeUnits(report, start, end));
  }
  const nodes = [];
  for (let start = 0; start < report.length;) {
    let end = start;
    while (end < report.length && kinds[end] === kinds[start]) end += 1;
    const text = report.slice(start, end);
    nodes.push(kinds[start]
      ? el("span", { className: kinds[start], title: t(`reading.${kinds[start]}`) }, text) : text);
    start = end;
  }
  return nodes;
}

/** Places count characters; JavaScript's strings count UTF-16 units. */
function codeUnits(text, start, end) {
  const characters = [...text];
  const units = (count) => characters.slice(0, count).join("").length;
  return [units(start), units(end)];
}
