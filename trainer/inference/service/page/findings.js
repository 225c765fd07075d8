// SPDX-License-Identifier: MIT
// The findings of a film as rows of a table, and of all films as CSV.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export const readable = (name) => name.replaceAll("_", " ");

export function ruleName(rule) {
  const [, rate, share] = /^(sensitivity|specificity)_(\d+)$/.exec(rule) ?? [];
  return rate ? `${share}% ${rate}` : ({ youden: "Youden index", max_f1: "best F1" }[rule] ?? readable(rule));
}

// Prevalences are a few per cent: by square roots, small ones can be told apart, and 0 stays 0.
export const along = (share) => `${(100 * Math.sqrt(Math.min(Math.max(share, 0), 1))).toFixed(2)}%`;

const percent = (share) => (share > 0 && share < 0.001 ? "<0.1%" : `${(100 * share).toFixed(1)}%`);
export const flagged = (answer, rule) => answer.findings.filter((found) => found.flags?.[rule] === 1);

// Numbers of each finding, in the wanted order.
export function ordered(model, answer, rule, sort) {
  const facts = new Map(model.findings.map((each) => [each.name, each]));
  const rows = answer.findings.map(({ name, probability, raw, flags }) => {
    const { prevalence, thresholds } = facts.get(name);
    const value = model.calibrated ? probability : raw;
    // Raw scores of an uncalibrated model have nothing to do with prevalence.
    const usual = model.calibrated ? prevalence : null;
    const threshold = thresholds?.[rule]?.[model.calibrated ? "probability" : "raw"] ?? null;
    return { name, value, flag: flags?.[rule], prevalence: usual, threshold, ratio: usual ? value / usual : null };
  });
  const keys = { ratio: (row) => -(row.ratio ?? row.value), value: (row) => -row.value, name: () => 0 };
  return rows.sort((a, b) => keys[sort](a) - keys[sort](b) || a.name.localeCompare(b.name));
}

function bar(row, shown) {
  const parts = element("div", { class: "bar", "aria-hidden": "true" }, element("b"));
  parts.firstChild.style.width = along(row.value);
  const words = [];
  for (const kind of ["prevalence", "threshold"].filter((each) => row[each] !== null)) {
    parts.append(element("i", { class: `tick ${kind}` }));
    parts.lastChild.style.left = along(row[kind]);
    words.push(`${kind} ${shown(row[kind])}`);
  }
  const said = words.join(", ");
  return element("td", { title: said }, parts, element("span", { class: "unseen" }, said));
}

// One row of the table; `toggle(name)` is called by its button.
export function line(model, row, toggle) {
  const shown = model.calibrated ? percent : (value) => value.toFixed(3);
  const name = element("th", { scope: "row" }, readable(row.name));
  if (row.flag === 1) name.append(element("small", { class: "flagged" }, "▲ flagged"));
  if (row.flag === -1) name.append(element("small", {}, "no threshold"));
  const number = element("td", { class: "number" }, element("b", {}, shown(row.value)));
  const ratio = row.ratio < 0.01 ? "<0.01" : row.ratio?.toFixed(row.ratio < 1 ? 2 : 1);
  if (row.ratio !== null) number.append(element("small", {}, `${ratio}×`));
  const of = element("span", { class: "unseen" }, ` of ${readable(row.name)}`);
  const button = element("button", { type: "button", "data-finding": row.name }, "Map", of);
  button.addEventListener("click", () => toggle(row.name));
  const kind = row.flag === 1 ? { class: "above" } : {};
  return element("tr", kind, name, bar(row, shown), number, element("td", {}, button));
}

// A cell of CSV; what a spreadsheet would take for a formula becomes text.
function cell(value) {
  const text = String(value ?? "");
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

// All films that are done, with scores in columns as cxr14-predict writes them.
export function csv(model, films) {
  const kinds = Object.entries(model.calibrated ? { score: "probability", raw: "raw" } : { raw: "raw" });
  const columns = kinds.flatMap(([kind, key]) => model.findings.map(({ name }) => ({ kind, key, name })));
  const lines = films.filter((film) => film.answer).map(({ name, answer }) => {
    const found = Object.fromEntries((answer.findings ?? []).map((each) => [each.name, each]));
    const scores = columns.map((column) => found[column.name]?.[column.key]);
    return [name, answer.reason, answer.unfamiliar, model.identity, ...scores];
  });
  const head = ["id", "reason", "unfamiliar", "model", ...columns.map(({ kind, name }) => `${kind}:${name}`)];
  return [head, ...lines].map((cells) => `${cells.map(cell).join(",")}\r\n`).join("");
}
