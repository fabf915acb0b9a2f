// The answer in a few sentences. The server writes them in English; other languages are made of its figures.

import { language, list, percent, said, t } from "../shared/language.js";

// as the server has it
const LEAST_OBEDIENCE = 2 / 3;
const REMEDIES = ["site lacking", "words unknown", "label lacking", "below threshold"];

/** Warnings and notes, to be read before the cases. */
export function summaryOf(answer) {
  const told = language === "en" ? answer.summary : translated(answer);
  const sentences = told.filter(({ level }) => level !== "detail");
  const remedy = remedyOf(answer);
  return remedy ? [...sentences, { level: "note", text: remedy }] : sentences;
}

/** What may be read after them. */
export const detailsOf = (answer) =>
  (language === "en" ? answer.summary : translated(answer)).filter(({ level }) => level === "detail");

/** What a reader can do where nothing is close. */
function remedyOf({ closeness: { verdict, reasons } }) {
  const because = reasons[0]?.because;
  return verdict === "no" && REMEDIES.includes(because) ? t(`foreign.${because}`) : "";
}

function translated({ closeness, support, own, prototypes, scope, exact, notices, query, searched_with: made }) {
  const told = [];
  const say = (level, text, lang) => text && told.push({ level, text, lang });
  const close = closenessWords(closeness);
  const lacking = query.site?.lacking ? query.site.name : "";
  if (lacking && closeness.reasons[0]?.because !== "site lacking") say("warning", t("site.lacking", { site: lacking }));
  if (closeness.verdict === "no") say("warning", close);
  const repeat = (level, sentence, end = "") => {
    const own = said(sentence);
    say(level, own ?? `${sentence}${end}`, own ? undefined : "en");
  };
  if (support?.one_label) repeat("warning", support.one_label);
  if (made) {
    const disobeys = made.measures?.obedience < LEAST_OBEDIENCE;
    say(disobeys ? "warning" : "note", t(disobeys ? "lead.disobeyed" : `lead.${made.how}`, made.measures ?? {}));
  }
  if (query.specimens.length) {
    const names = list(query.specimens);
    say("note", query.specimen ? t("lead.specimen", { names, searched: query.specimen }) : t("lead.specimens", { names }));
  }
  if (support) say("note", leadWords(support));
  for (const { case: found, because } of own) {
    say("note", t(because === "marked" ? "lead.marked" : "lead.own", { id: found.case_id }));
  }
  const refused = prototypes.filter(({ passed }) => passed === false);
  if (refused.length) {
    say("note", t("lead.refused", {
      n: refused.length, of: prototypes.length, shows: list([...new Set(refused.map(({ shows }) => shows))]),
    }));
  }
  for (const notice of notices.filter((one) => !lacking || !one.includes(lacking))) repeat("note", notice, ".");
  if (closeness.verdict !== "no") say("detail", close);
  say("detail", t(exact ? "scope.exact" : "scope.near", { fitting: scope.fitting, images: scope.images }));
  return told;
}

function closenessWords({ verdict, reasons }) {
  const [{ because, named }] = reasons;
  const reason = t(`because.${because}`, { named: named ? ` (${named})` : "" });
  return t(`closeness.${verdict}`, { reason });
}

function leadWords({ shares, nearest, counted, unit }) {
  if (!shares.length) return t(nearest ? "lead.only_own" : "lead.none_real");
  const [{ diagnosis, count, share, low, high }] = shares;
  return t("lead", {
    diagnosis: diagnosis || t("no_diagnosis"), count, of: t(`unit.${unit}`, { n: counted }),
    share: percent(share), low: percent(low), high: percent(high),
  });
}
