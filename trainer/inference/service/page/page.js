// SPDX-License-Identifier: MIT
// Takes films in, asks the server about one after another, and shows what it answers.

import { along, csv, element, flagged, line, ordered, readable, ruleName } from "./findings.js";
import { Viewer } from "./film.js";

const $ = (id) => document.getElementById(id);
const on = (id, event, does) => $(id).addEventListener(event, does);
const say = (text) => ($("status").textContent = text);
const films = [];
const viewer = new Viewer($("stage"), showView);
let [model, chosen, heat, working, number] = [null, null, null, false, 0];

// The content of a data: address, which strict pages may not fetch.
const bytesOf = (address) => Uint8Array.from(atob(address.split(",")[1]), (c) => c.charCodeAt(0));
const blobOf = (address) => new Blob([bytesOf(address)], { type: "image/png" });

// Asks until the server has room for it.
async function ask(path, options) {
  for (;;) {
    const response = await fetch(path, options).catch(() => {
      throw new Error("The server does not answer. If it has ended, start it again; then give the file once more.");
    });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    const error = answer.error ?? `the server answered with status ${response.status}`;
    const seconds = Number(response.headers.get("Retry-After"));
    if (!seconds) throw new Error(`${error[0].toUpperCase()}${error.slice(1)}.`);
    say(`Waiting: ${error}.`);
    await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(seconds, 30)));
  }
}

// Sends the content of a file and never its name.
async function askAbout(film, path) {
  const body = await film.file.arrayBuffer().catch(() => {
    throw new Error("The file cannot be read: it is a folder, or was moved or deleted.");
  });
  return ask(path, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body });
}

function add(files) {
  for (const file of files) {
    const item = element("li", { role: "option", id: `film-${number++}`, "aria-selected": "false", title: file.name });
    const film = { file, item, name: file.name };
    item.addEventListener("click", () => choose(film));
    films.push(film);
    $("list").append(item);
    refresh(film, { state: "waiting" });
  }
  if (!chosen && films.length) choose(films[0]);
  work();
}

async function work() {
  if (working || !model) return;
  working = true;
  for (let film; (film = films.find((each) => each.state === "waiting")); ) {
    refresh(film, { state: "reading…", error: "" });
    try {
      const { picture, ...answer } = await askAbout(film, "api/film");
      refresh(film, { answer, picture: picture && blobOf(picture), state: "done" });
    } catch (error) {
      refresh(film, { error: error.message, state: "failed" });
    }
    say(`${film.name}: ${verdict(film)} (${$("count").textContent})`);
  }
  working = false;
}

function refresh(film, change) {
  Object.assign(film, change);
  label(film);
  count();
  if (film === chosen) show();
}

// What the list says of a film.
function verdict({ state, answer, error }) {
  if (error) return `✕ ${error}`;
  if (!answer) return state;
  if (!answer.usable) return `✕ not usable: ${answer.text}`;
  const flags = flagged(answer, $("rule").value).length;
  if (answer.unfamiliar) return `▲ unfamiliar, ${flags} flagged`;
  return flags ? `▲ ${flags} flagged` : "✓ nothing flagged";
}

function label(film) {
  const words = verdict(film);
  const kind = { "▲": "flagged", "✕": "failed" }[words[0]] ?? "";
  film.item.replaceChildren(element("b", {}, film.name), element("small", { class: kind }, words));
}

function count() {
  const done = films.filter((film) => film.answer || film.error).length;
  Object.assign($("done"), { max: films.length || 1, value: done });
  $("count").textContent = `${done} of ${films.length} done`;
  $("progress").hidden = done === films.length;
  $("list").hidden = !films.length;
  $("save").hidden = !films.some((film) => film.answer);
}

function choose(film) {
  say("");
  chosen?.item.setAttribute("aria-selected", "false");
  chosen = film;
  film.item.setAttribute("aria-selected", "true");
  film.item.scrollIntoView({ block: "nearest" });
  $("list").setAttribute("aria-activedescendant", film.item.id);
  show();
}

// Shows the chosen film: its picture, what is to be said of it, its findings.
function show() {
  const { name, picture, state } = chosen ?? {};
  setHeat(null);
  viewer.show(picture).catch(() => say("The picture cannot be shown."));
  $("film").setAttribute("aria-label", `Film ${name}`);
  $("empty").textContent = picture ? "" : { failed: "No answer", done: "Not usable" }[state] ?? state ?? "Choose chest films, or drop them here";
  $("tools").hidden = $("overlay").hidden = !picture;
  $("banners").replaceChildren(...(chosen ? banners(chosen) : []));
  showFindings();
}

function banners({ answer, error }) {
  const { usable, text, unfamiliar, warnings } = answer ?? {};
  const strange = "unlike the pictures that the model was trained on: its answers may mean nothing.";
  const said = (warnings ?? []).map((warning) => ["", `From the file: ${warning}`]);
  if (unfamiliar) said.unshift(["strange", `▲ This film is ${strange}`]);
  if (usable === false) said.unshift(["bad", `✕ Not usable: ${text}`]);
  if (error) said.unshift(["bad", `✕ ${error}`]);
  return said.map(([kind, words]) => element("div", { class: kind }, words));
}

function showFindings() {
  const usable = Boolean(chosen?.answer?.usable);
  const rows = usable ? ordered(model, chosen.answer, $("rule").value, $("sort").value) : [];
  $("rows").replaceChildren(...rows.map((row) => line(model, row, toggle)));
  for (const id of ["choices", "table", "legend"]) $(id).hidden = !usable;
  $("none").hidden = usable;
  press();
}

// Marks the button whose map is shown, and the one whose map is on its way.
function press(busy = null) {
  for (const button of $("rows").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", button.dataset.finding === heat);
    button.setAttribute("aria-busy", button.dataset.finding === busy);
  }
}

function setHeat(name) {
  heat = name;
  press();
  $("heat-name").textContent = name ? readable(name) : "No heat map";
  $("heat").setAttribute("aria-label", `Heat map of ${$("heat-name").textContent}`);
  $("opacity").disabled = !name;
  return viewer.warm(name && blobOf(chosen.maps[name]));
}

// Lays the map of a finding over the film or takes it away; the first asks for all of the film.
async function toggle(name) {
  const film = chosen;
  if (heat === name) return setHeat(null);
  try {
    press(name);
    film.maps ??= (await askAbout(film, "api/heat_maps")).maps;
    if (film !== chosen) return;
    await setHeat(name);
    say(`Heat map of ${readable(name)} is shown.`);
  } catch (error) {
    press();
    if (film === chosen) $("banners").append(element("div", { class: "bad" }, `✕ No heat map: ${error.message}`));
    say(error.message);
  }
}

function showView(view) {
  const words = [`W ${Math.round(view.window.width)}`, `L ${Math.round(view.window.level)}`, `${view.zoom.toFixed(1)}×`];
  $("readout").textContent = view.picture ? words.join("   ") : "";
  for (const name of ["brightness", "contrast"]) $(name).value = view[name];
  $("invert").setAttribute("aria-pressed", view.inverted);
  for (const tool of ["window", "pan"]) $(tool).setAttribute("aria-pressed", view.tool === tool);
}

function save() {
  const href = URL.createObjectURL(new Blob([csv(model, films)], { type: "text/csv" }));
  element("a", { href, download: "findings.csv" }).click();
}

function listen() {
  const dropping = (is) => document.body.classList.toggle("dropping", is);
  addEventListener("dragover", (event) => (event.preventDefault(), dropping(true)));
  addEventListener("dragleave", (event) => event.relatedTarget ?? dropping(false));
  addEventListener("drop", (event) => (event.preventDefault(), dropping(false), add(event.dataTransfer.files)));
  on("files", "change", ({ target }) => (add([...target.files]), (target.value = "")));
  on("list", "keydown", (event) => {
    const at = films.indexOf(chosen);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: films.length - 1 }[event.key];
    if (to !== undefined) event.preventDefault();
    if (films[to]) choose(films[to]);
  });
  on("sort", "change", showFindings);
  on("rule", "change", () => (films.forEach(label), showFindings()));
  on("opacity", "input", () => ($("heat").style.opacity = $("opacity").value / 100));
  for (const name of ["brightness", "contrast"]) on(name, "input", () => viewer.look({ [name]: +$(name).value }));
  const clicks = { save, reset: () => viewer.reset(), in: () => viewer.zoomBy(1.25), out: () => viewer.zoomBy(0.8) };
  for (const tool of ["window", "pan"]) clicks[tool] = () => viewer.look({ tool });
  clicks.invert = () => viewer.look({ inverted: !viewer.inverted });
  for (const [id, does] of Object.entries(clicks)) on(id, "click", does);
}

// Fills in what depends on the model, then takes up the films that were dropped meanwhile.
async function start() {
  listen();
  show();
  $("heat").style.opacity = ($("opacity").value = 45) / 100;
  const local = /^(localhost|127\..*|\[::1\])$/.test(location.hostname);
  if (!local) $("privacy").textContent = `Films go to ${location.host} and nowhere else, nothing is stored.`;
  model = await ask("api/model");
  const { calibrated, rules, identity, step, views, research_use: use } = model;
  const unit = ($("unit").textContent = calibrated ? "Probability" : "Raw score");
  if (calibrated) $("sort").append(new Option("ratio to prevalence", "ratio"));
  $("sort").append(new Option(unit.toLowerCase(), "value"), new Option("name", "name"));
  $("rule").append(...rules.map((rule) => new Option(ruleName(rule), rule)));
  $("rules").hidden = $("key-threshold").hidden = !rules.length;
  $("key-prevalence").hidden = !($("uncalibrated").hidden = calibrated);
  for (const share of [0, 0.05, 0.25, 1]) {
    $("axis").append(element("span", {}, calibrated ? `${100 * share}${share === 1 ? "%" : ""}` : `${share}`));
    $("axis").lastChild.style.left = along(share);
  }
  const averaged = views === "one" ? "" : `, mean over views (${views})`;
  $("model").textContent = `Model ${identity.slice(0, 12)}, step ${step}${averaged}. ${use}`;
  $("model").title = identity;
  say("Ready for films.");
  work();
}

start().catch((error) => say(error.message));
