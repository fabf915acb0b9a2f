// The page: asks the server's HTTP API and shows what it answers. No framework, nothing from elsewhere.

import { ask, here, Refusal } from "./api.js";
import { nearness, prototypeWords, repetition, showOwn, showRivals, showSummary } from "./answer.js";
import { $, counted, el, joined, number, words } from "./dom.js";
import { logIn } from "./login.js";
import { clearMarks, markButtons, marked, showMarks } from "./marks.js";
import { showReading } from "./reading.js";
import { showSupport } from "./support.js";
import { showWhy } from "./why.js";

const EXAMPLES = [
  ["Red granules", "Bilobed nucleus; the cytoplasm is packed with coarse orange-red granules."],
  ["Halos", "Koilocytes with perinuclear halos, low-grade lesion."],
  ["Blue rim", "Small round cell with dense chromatin and a thin rim of pale blue cytoplasm."],
];
const MODES = {
  fused: "Report and drawings together",
  prototype: "Drawings only",
  text: "Report text only",
};
const MAIN_FILTERS = ["site", "specimen", "stain", "diagnosis"];
const NO_FILTERS = ["case_id", "origin"];
const CARD_PX = 256;
const VIEWER_PX = 1024;
const VARIED = 0.5;

// ---------------------------------------------------------------- the archive: facts, modes, filters

let archive = null;

async function readArchive() {
  for (;;) {
    try {
      await logIn();
      archive = await ask("v1/archive");
      break;
    } catch (refusal) {
      if (refusal.detail?.kind === "unauthenticated") continue;
      if (refusal.detail?.kind !== "not_ready" || !refusal.retryAfter) {
        $("facts").textContent = `The archive cannot be read: ${refusal.message}`;
        return;
      }
      $("facts").textContent = /still loading/.test(refusal.message)
        ? "The models are loading…"
        : refusal.message;
      await new Promise((resume) => setTimeout(resume, refusal.retryAfter * 1000));
    }
  }
  showArchive();
}

function showArchive() {
  $("facts").replaceChildren(
    el("b", {}, number(archive.images)), " images · ",
    el("b", {}, number(archive.cases)), " cases",
    archive.generator ? ` · drawn by ${archive.generator}` : "",
  );
  $("facts").title = `Encoder ${archive.encoder.name}, archive of ${archive.created_at}`;
  $("demonstration").hidden = !archive.demonstration;
  $("mode").replaceChildren(
    ...archive.modes.map((mode) => el("option", { value: mode }, MODES[mode] ?? mode)),
  );
  $("prototypes").value = archive.prototypes;
  if (!archive.modes.includes("fused") && !archive.modes.includes("prototype")) {
    $("prototypes").closest(".field").hidden = true;
    $("seed").closest(".field").hidden = true;
  }
  const usable = archive.fields.filter((f) => f.distinct > 1 && !NO_FILTERS.includes(f.name));
  const main = MAIN_FILTERS.flatMap((name) => usable.filter((f) => f.name === name));
  const more = usable.filter((f) => !MAIN_FILTERS.includes(f.name));
  $("main-filters").replaceChildren(...main.map(filterSelect));
  $("more-filters").replaceChildren(...more.map(filterSelect));
  $("more").hidden = more.length === 0;
  $("filters").hidden = usable.length === 0;
}

function filterSelect(field) {
  const id = `filter-${field.name}`;
  const label = words(field.name);
  const select = el("select", { id, name: field.name });
  select.append(
    el("option", { value: "" }, "any"),
    ...field.values.map(({ value, images }) =>
      el("option", { value }, `${value} (${number(images)})`)),
  );
  return el("div", { className: "field" },
    el("label", { htmlFor: id }, label[0].toUpperCase() + label.slice(1)), select);
}

function where() {
  const chosen = [...$("filters").querySelectorAll("select")].filter((select) => select.value);
  return Object.fromEntries(chosen.map((select) => [select.name, select.value]));
}

// ---------------------------------------------------------------- asking

let tab = "report";
let picture = null;
let running = null;

function chooseTab(name) {
  tab = name;
  for (const which of ["report", "picture"]) {
    const chosen = which === name;
    $(`tab-${which}`).setAttribute("aria-selected", String(chosen));
    $(`tab-${which}`).tabIndex = chosen ? 0 : -1;
    $(`panel-${which}`).hidden = !chosen;
  }
  showReportOptions();
}

function asksReport() {
  return tab === "report" || ($("with-report").checked && Boolean($("report").value.trim()));
}

function showReportOptions() {
  const empty = !$("report").value.trim();
  $("with-report").disabled = empty;
  $("with-report-hint").hidden = !empty;
  for (const field of document.querySelectorAll(".report-only")) field.classList.toggle("off", !asksReport());
}

function choosePicture(file) {
  if (!file) return;
  picture = file;
  clearMarks();
  URL.revokeObjectURL($("preview").src);
  $("preview").src = URL.createObjectURL(file);
  $("preview").hidden = false;
  $("preview").alt = "The picture to search with";
  $("drop-text").textContent = file.name || "picture";
}

// a TIFF, for instance: the server reads it, the browser does not show it
$("preview").addEventListener("error", () => {
  $("preview").hidden = true;
  $("drop-text").textContent = `${picture.name || "picture"} (no preview)`;
});

function invalid() {
  for (const field of $("ask").querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  if (tab === "report" && !$("report").value.trim()) {
    return [$("report"), "the report is empty", "paste the report’s text, or choose an example"];
  }
  if (tab === "picture" && !picture) {
    return [$("picture"), "no picture is chosen", "drop a picture, or choose a file"];
  }
  const fields = asksReport() ? ["prototypes", "seed", "k"] : ["k"];
  for (const id of fields) {
    const field = $(id);
    if (!field.checkValidity()) {
      const label = field.closest(".field").querySelector("label").textContent;
      return [field, `${label} is out of range`, `give a whole number from ${field.min} to ${number(Number(field.max))}`];
    }
  }
  return null;
}

async function search() {
  const fault = invalid();
  if (fault) {
    const [field, problem, remedy] = fault;
    field.setAttribute("aria-invalid", "true");
    showError({ problem, remedy });
    field.focus();
    return;
  }
  const mode = $("mode").value;
  const n = Number($("prototypes").value);
  const draws = asksReport() && mode !== "text" && Boolean(archive?.generator);
  const filters = where();
  running?.abort();
  const mine = (running = new AbortController());
  showLoading(draws ? `Drawing ${n} prototype${n > 1 ? "s" : ""} and searching` : "Searching", draws);
  try {
    const answer = tab === "report"
      ? await ask("v1/search", {
        method: "POST",
        signal: mine.signal,
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ ...question(), where: filters }),
      })
      : await ask("v1/search/image", { method: "POST", signal: mine.signal, body: pictureForm(filters) });
    if (running === mine) showAnswer(answer, filters);
  } catch (error) {
    if (running !== mine) return;
    if (error.name === "AbortError") show("empty");
    else if (error instanceof Refusal) showError(error.detail);
    else throw error;
  } finally {
    if (running === mine) {
      running = null;
      stopClock();
    }
  }
}

function question() {
  const mode = $("mode").value;
  const ofReport = asksReport() && {
    report: $("report").value,
    as_written: $("as-written").checked,
    all_sites: $("all-sites").checked,
    unspecified_sites: $("unspecified-sites").checked,
    ...(mode ? { mode } : {}),
    prototypes: Number($("prototypes").value),
    seed: Number($("seed").value),
  };
  return {
    ...ofReport,
    k: Number($("k").value),
    unlike: $("unlike").value.trim(),
    diversity: $("varied").checked ? VARIED : 0,
    near_duplicates: $("near-duplicates").checked,
    rivals: true,
    ...marked(),
  };
}

function pictureForm(filters) {
  const form = new FormData();
  form.append("image", picture, "picture");
  for (const [name, value] of Object.entries(question())) {
    for (const one of [value].flat()) form.append(name, one);
  }
  form.append("where", JSON.stringify(filters));
  return form;
}

// ---------------------------------------------------------------- states

let clock = null;

function show(state) {
  for (const id of ["empty", "loading", "error", "answer"]) $(id).hidden = id !== state;
  $("results").setAttribute("aria-busy", String(state === "loading"));
}

function showLoading(doing, draws) {
  const began = performance.now();
  clearInterval(clock);
  $("doing").textContent = `${doing}…`;
  $("loading-hint").textContent = draws
    ? "A report that was drawn before with the same seed is found at once."
    : "";
  $("elapsed").textContent = "0.0 s";
  clock = setInterval(() => {
    $("elapsed").textContent = `${((performance.now() - began) / 1000).toFixed(1)} s`;
  }, 100);
  $("go").disabled = true;
  $("cancel").hidden = false;
  $("announce").textContent = `${doing}.`;
  show("loading");
  bringIntoView();
}

function stopClock() {
  clearInterval(clock);
  $("go").disabled = false;
  $("cancel").hidden = true;
}

function showError({ problem, value, expected, remedy }) {
  const given = value === null || value === undefined ? "" : `Given: ${value}. `;
  $("error-problem").textContent = problem;
  $("error-detail").textContent = given + (expected ? `Expected: ${expected}.` : "");
  // an option of the command line is a tick on this page
  const helps = remedy?.replace(/ \(--[\w-]+\)/g, "");
  $("error-remedy").textContent = helps ? `What helps: ${helps}.` : "";
  show("error");
  bringIntoView();
}

function bringIntoView() {
  if ($("results").getBoundingClientRect().top > window.innerHeight * 0.7) {
    $("results").scrollIntoView({ behavior: "smooth", block: "start" });
  }
}

// ---------------------------------------------------------------- the answer

function showAnswer(answer, asked) {
  const { query, prototypes, cases, timings_ms: timings } = answer;
  showReading(query, search);
  $("prototype-room").hidden = prototypes.length === 0;
  const refused = prototypes.filter(({ passed }) => passed === false);
  $("prototype-list").replaceChildren(...prototypes.filter((one) => !refused.includes(one)).map(prototypeCard));
  $("refused").hidden = refused.length === 0;
  $("refused").open = refused.length === prototypes.length;
  $("refused-title").textContent = `${counted(refused.length, "drawing")} that ${refused.length === 1 ? "shows" : "show"} something else: not counted`;
  $("refused-list").replaceChildren(...refused.map(prototypeCard));
  const onlyReal = cases.every((found) => found.images.every((image) => image.origin === "real"));
  const noun = onlyReal ? "real case" : "archive case";
  $("cases-title").textContent = cases.length ? `Nearest ${noun}s` : "No cases";
  showSupport(answer.support);
  showSummary(answer.summary);
  showOwn(answer.own, smallCard);
  showRivals(answer.rivals, smallCard);
  $("cases-facts").textContent = joined(
    `${counted(cases.length, "case")}, ${$("varied").checked ? "different ones preferred" : "nearest first"}`,
    ...Object.entries(asked).map(([name, value]) => `${words(name)}: ${value}`),
    query.mode === "image" ? "by picture" : (MODES[query.mode] ?? query.mode).toLowerCase(),
    tab === "picture" && query.mode !== "image" ? "with the picture" : "",
    moved(),
    `${(timings.total / 1000).toFixed(1)} s`,
  );
  $("case-list").replaceChildren(...cases.map((found, place) => caseCard(found, place, cases)));
  $("no-cases").hidden = cases.length > 0;
  $("timing-list").replaceChildren(...Object.entries(timings).map(([stage, ms]) =>
    el("div", {}, el("dt", {}, stage), el("dd", {}, `${number(Math.round(ms))} ms`))));
  showMarks();
  show("answer");
  const [first] = answer.summary;
  $("announce").textContent = cases.length
    ? `${first ? `${first.text} ` : ""}${cases.length} cases found. Nearest: ${cases[0].diagnosis || "no diagnosis"}.`
    : "No case fits these filters.";
  bringIntoView();
}

function moved() {
  const { liked, disliked } = marked();
  const count = liked.length + disliked.length;
  return count ? `moved by ${counted(count, "mark")}` : "";
}

function repeatsLine({ near_duplicates: repeats, diagnosis }) {
  if (!repeats.length) return null;
  const others = [...new Set(repeats.map((repeat) => repeat.diagnosis))]
    .filter((name) => name && name !== diagnosis);
  return el("p", {
    className: "repeats",
    title: `Pictures of other cases that repeat this one, counted once: ${repeats.map((r) => r.case_id).join(", ")}`,
  }, `+${counted(repeats.length, "near duplicate")}`, others.length ? `, also called ${others.join(", ")}` : "");
}

function prototypeCard(prototype) {
  const failed = prototype.passed === false;
  const button = el("button", { type: "button", className: `prototype${failed ? " refused" : ""}` },
    el("img", { src: here(prototype.path), alt: `Synthetic prototype, seed ${prototype.seed}${failed ? ", not counted" : ""}` }),
    el("small", {}, el("b", {}, "Synthetic"), ` seed ${prototype.seed}`),
    prototypeWords(prototype));
  button.addEventListener("click", () => viewPrototype(prototype));
  return el("li", {}, button);
}

function smallCard(found, note) {
  const [best] = found.images;
  const title = found.diagnosis || found.finding || "No diagnosis";
  const button = el("button", { type: "button", className: "picture" },
    el("img", {
      src: `${here(best.uri)}?size=${CARD_PX}`,
      alt: `Case ${found.case_id}: ${joined(title, found.site)}. Open larger.`,
      loading: "lazy",
    }));
  button.addEventListener("click", () => viewCase(found, best));
  return el("li", { className: "small" }, button,
    note ? el("p", { className: "hint" }, note) : nearness(found, true),
    note ? el("p", {}, title) : null,
    el("p", { className: "id" }, found.case_id));
}

function caseCard(found, index, cases) {
  const [best] = found.images;
  const title = found.diagnosis || found.finding || "No diagnosis";
  const others = found.diagnoses.filter((name) => name && name !== found.diagnosis);
  const button = el("button", { type: "button", className: "picture" },
    el("img", {
      src: `${here(best.uri)}?size=${CARD_PX}`,
      alt: `Case ${found.case_id}: ${joined(title, found.site)}. Open larger.`,
      loading: "lazy",
    }),
    el("span", { className: "rank", ariaHidden: "true" }, String(index + 1)),
    found.images.length > 1
      ? el("span", { className: "count", title: "images of this case" }, `${found.images.length} images`)
      : null,
    best.origin === "real" ? null : el("span", { className: "tag" }, best.origin));
  button.addEventListener("click", () => viewCase(found, best));
  return el("li", {}, el("article", { className: "case" },
    button,
    el("div", { className: "text" },
      nearness(found),
      el("h4", {}, title),
      found.finding && found.finding !== title ? el("p", { className: "finding" }, found.finding) : null,
      others.length ? el("p", { className: "also" }, `Also in this case: ${others.join(", ")}`) : null,
      repetition(found, cases),
      repeatsLine(found),
      el("p", { className: "place" }, joined(found.site, found.specimen, found.stain)),
      el("p", { className: "id" }, found.case_id)),
    markButtons(found.case_id)));
}

// ---------------------------------------------------------------- the larger picture

let shown = { siblings: [], index: 0, blobFrom: "" };

function openViewer() {
  if (!$("viewer").open) $("viewer").showModal();
}

function facts(pairs) {
  $("viewer-facts").replaceChildren(...pairs
    .filter(([, value]) => value !== "" && value !== null && value !== undefined)
    .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]));
}

function viewPrototype(prototype) {
  const made = prototype.provenance;
  const image = $("viewer-picture");
  image.onerror = null;
  image.src = here(prototype.path);
  image.alt = `Synthetic prototype, seed ${prototype.seed}`;
  image.parentElement.classList.add("is-synthetic");
  $("viewer-tag").textContent = "Synthetic";
  $("viewer-tag").className = "tag synthetic";
  $("viewer-tag").hidden = false;
  $("viewer-title").textContent = "Prototype";
  $("viewer-subtitle").textContent = "Drawn by a model. Not a patient’s cells.";
  $("viewer-note").hidden = true;
  $("viewer-report").hidden = false;
  $("viewer-report-title").textContent = "Drawn from";
  $("viewer-report-text").textContent = made.source.text;
  $("viewer-siblings").hidden = true;
  facts([
    ["Seed", prototype.seed],
    ["Generator", made.generator],
    ["Steps", made.steps],
    ["Guidance", made.guidance],
    ["Size", `${made.width_px} × ${made.height_px} px`],
  ]);
  showWhy(null);
  shown = { siblings: [], index: 0, blobFrom: here(prototype.path) };
  openViewer();
}

async function viewCase(found, first) {
  const own = new Map(found.images.map((image) => [image.image_id, image]));
  const siblings = [...found.images];
  shown = { siblings, index: siblings.indexOf(first), found, own };
  viewImage();
  openViewer();
  try {
    const whole = await ask(`v1/cases/${encodeURIComponent(found.case_id)}`);
    if (shown.found !== found) return;
    shown.whole = whole;
    shown.siblings = [
      ...siblings.map((image) => ({ ...whole.images.find((i) => i.image_id === image.image_id), ...image })),
      ...whole.images.filter((image) => !own.has(image.image_id)),
    ];
    viewImage();
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    note(`The whole case cannot be shown: ${refusal.message}.`);
  }
}

function note(text) {
  $("viewer-note").textContent = text;
  $("viewer-note").hidden = !text;
}

function viewImage() {
  const { siblings, index, found, whole } = shown;
  const image = siblings[index];
  const drawn = image.origin !== "real";
  const big = $("viewer-picture");
  note("");
  big.parentElement.classList.remove("is-synthetic");
  shown.blobFrom = `${here(image.uri)}?size=${VIEWER_PX}`;
  big.onerror = () => {
    big.onerror = null;
    shown.blobFrom = `${here(image.uri)}?size=${CARD_PX}`;
    big.src = shown.blobFrom;
    note("The source picture has gone from where it was indexed, or has changed since; this is the archive’s small copy.");
  };
  if (big.getAttribute("src") !== shown.blobFrom) big.src = shown.blobFrom;
  big.alt = `Image ${image.image_id} of case ${found.case_id}: ${image.diagnosis || "no diagnosis"}`;
  $("viewer-tag").hidden = !drawn;
  $("viewer-tag").className = "tag";
  $("viewer-tag").textContent = image.origin;
  $("viewer-title").textContent = image.diagnosis || image.finding || "No diagnosis";
  $("viewer-subtitle").textContent = image.finding === image.diagnosis ? "" : image.finding;
  facts([
    ["Case", found.case_id],
    ["Similarity", image.similarity === undefined ? "" : image.similarity.toFixed(2)],
    ["Site", found.site],
    ["Specimen", found.specimen],
    ["Stain", found.stain],
    ["Size", image.width_px ? `${image.width_px} × ${image.height_px} px` : ""],
    ["Scale", image.mpp_um ? `${image.mpp_um} µm a pixel` : ""],
    ...Object.entries(image.attributes ?? {}).map(([name, value]) => [words(name), value]),
  ]);
  showWhy(image);
  $("viewer-report").hidden = !whole?.report;
  $("viewer-report-title").textContent = "Report of this case";
  $("viewer-report-text").textContent = whole?.report ?? "";
  $("viewer-siblings").hidden = siblings.length < 2;
  $("viewer-siblings-title").textContent = `All ${siblings.length} images of this case`;
  $("viewer-strip").replaceChildren(...siblings.map((sibling, at) => {
    const button = el("button", { type: "button" },
      el("img", { src: `${here(sibling.uri)}?size=${CARD_PX}`, alt: `Image ${at + 1}: ${sibling.diagnosis || "no diagnosis"}`, loading: "lazy" }));
    if (at === index) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => step(at - index));
    return el("li", {}, button);
  }));
}

function step(by) {
  if (shown.siblings.length < 2) return;
  const strip = $("viewer-strip").contains(document.activeElement);
  shown.index = (shown.index + by + shown.siblings.length) % shown.siblings.length;
  viewImage();
  if (strip) $("viewer-strip").querySelector("[aria-current]").focus();
}

async function findSimilar() {
  try {
    const response = await fetch(shown.blobFrom);
    if (!response.ok) throw new Error(String(response.status));
    const blob = await response.blob();
    $("viewer").close();
    chooseTab("picture");
    choosePicture(new File([blob], "a picture of the last answer", { type: blob.type }));
    await search();
  } catch {
    note("This picture cannot be fetched to search with; try another one.");
  }
}

// ---------------------------------------------------------------- wiring

for (const [label, text] of EXAMPLES) {
  const button = el("button", { type: "button", title: text }, label);
  button.addEventListener("click", () => {
    $("report").value = text;
    reportChanged();
    $("report").focus();
  });
  $("examples").append(el("li", {}, button));
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
function reportChanged() {
  clearMarks();
  showReportOptions();
}
$("report").addEventListener("input", reportChanged);
$("with-report").addEventListener("change", showReportOptions);
$("marks-search").addEventListener("click", search);
$("marks-clear").addEventListener("click", clearMarks);
$("cancel").addEventListener("click", () => running?.abort());
$("reseed").addEventListener("click", () => {
  $("seed").value = crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000;
});

for (const name of ["report", "picture"]) {
  $(`tab-${name}`).addEventListener("click", () => chooseTab(name));
  $(`tab-${name}`).addEventListener("keydown", (event) => {
    if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    const other = name === "report" ? "picture" : "report";
    chooseTab(other);
    $(`tab-${other}`).focus();
  });
}

$("picture").addEventListener("change", () => choosePicture($("picture").files[0]));
for (const kind of ["dragover", "drop"]) {
  window.addEventListener(kind, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "dragover") chooseTab("picture");
    else choosePicture(event.dataTransfer.files[0]);
  });
}
window.addEventListener("dragleave", () => $("drop").classList.remove("over"));
window.addEventListener("paste", (event) => {
  const [file] = event.clipboardData?.files ?? [];
  if (file?.type.startsWith("image/")) {
    chooseTab("picture");
    choosePicture(file);
  }
});

$("viewer-close").addEventListener("click", () => $("viewer").close());
$("viewer-similar").addEventListener("click", findSimilar);
$("viewer").addEventListener("click", (event) => {
  if (event.target === $("viewer")) $("viewer").close();
});
$("viewer").addEventListener("close", () => $("viewer-picture").removeAttribute("src"));
$("viewer").addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") step(1);
  if (event.key === "ArrowLeft") step(-1);
});

readArchive();
