// How a report was understood: its parts that were searched and those that were not, and where was searched.

import { $, counted, el } from "./dom.js";

const KINDS = { kept: "searched", left_out: "left-out", unread: "unread" };

/** Shows the report with its parts marked, and the site; `again` searches once more. */
export function showReading(query, again) {
  showParts(query);
  showSite(query.site, again);
}

function showParts(query) {
  const { corrections, offers } = query;
  const whole = ![query.left_out, query.unread, corrections, offers].some((list) => list.length);
  $("reading").hidden = whole;
  if (whole) return;
  $("reading-text").replaceChildren(...parts(query));
  $("reading-reasons").replaceChildren(...query.left_out.map((part) =>
    el("li", {}, el("q", {}, part.text), ` ${part.why}${part.cue && part.cue !== part.text ? ` (“${part.cue}”)` : ""}`)));
  $("reading-why").hidden = !query.left_out.length;
  $("reading-spelling").replaceChildren(
    ...corrections.map((one) => el("li", {}, "Read as ", el("b", {}, one.text), `: ${one.written}`)),
    ...offers.map((one) => el("li", {}, "Not changed: ", el("b", {}, one.text), `; ${one.meant.join(" or ")} may be meant`)));
  $("reading-unread").hidden = !query.unread.length;
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
    nodes.push(kinds[start] ? el("span", { className: kinds[start], title: kinds[start].replace("-", " ") }, text) : text);
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

function showSite(site, again) {
  // what the archive lacks stands in the summary, before all else
  $("site").hidden = !site || site.lacking;
  if (!site || site.lacking) return;
  $("site-words").textContent = site.words;
  const buttons = [];
  if (site.how !== "asked" && !site.lacking) {
    buttons.push(site.applied
      ? choice("Search all sites", () => { $("all-sites").checked = true; })
      : choice(`Search only ${site.name}`, () => { $("all-sites").checked = false; }));
    if (site.applied && site.unspecified_images && !site.with_unspecified) {
      buttons.push(choice(`Add ${counted(site.unspecified_images, "picture")} of unspecified site`,
        () => { $("unspecified-sites").checked = true; }));
    }
  }
  $("site-buttons").replaceChildren(...buttons);

  function choice(label, choose) {
    const button = el("button", { type: "button", className: "quiet" }, label);
    button.addEventListener("click", () => {
      choose();
      again();
    });
    return button;
  }
}
