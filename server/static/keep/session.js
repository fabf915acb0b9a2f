// What this tab remembers until it is closed: the report, the answer, and which report a link means.

const ANSWER = "coin-answer";
const REPORTS = "coin-reports";
const MOST_REPORTS = 20;

function read(key) {
  try { return JSON.parse(sessionStorage.getItem(key)); } catch { return null; }
}

function write(key, value) {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // no room: the next reload starts empty, nothing else is lost
    sessionStorage.removeItem(key);
  }
}

/** @param kept { asked, answer, tab, at } */
export function keepAnswer(kept) {
  write(ANSWER, kept);
  const { plan: { report: digest } } = kept.answer;
  if (!digest) return;
  const others = Object.entries(read(REPORTS) ?? {}).filter(([known]) => known !== digest);
  write(REPORTS, Object.fromEntries([[digest, kept.asked.report], ...others].slice(0, MOST_REPORTS)));
}

export const keptAnswer = () => read(ANSWER);

/** The report of a digest, if it was asked in this tab. */
export const reportOf = (digest) => (read(REPORTS) ?? {})[digest] ?? "";

export function forgetTab() {
  sessionStorage.removeItem(ANSWER);
  sessionStorage.removeItem(REPORTS);
}
