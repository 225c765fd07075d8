"use strict";
// Charts of lines: reading of points by pointer and keys, and chips that hide findings everywhere.
(function () {
  const explorers = Array.from(document.querySelectorAll(".explorer"));
  const chips = Array.from(document.querySelectorAll(".chip"));
  const spoken = document.getElementById("spoken");
  const hidden = new Set();
  let reading = null;

  const charts = Array.from(document.querySelectorAll(".chart")).map(function (box) {
    const data = JSON.parse(box.querySelector("script").textContent);
    const svg = box.querySelector("svg");
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    box.appendChild(tip);
    return { box: box, svg: svg, tip: tip, data: data, probe: null };
  });

  function place(chart, line, index) {
    const plane = chart.data.plane;
    const x = chart.data.x;
    const y = chart.data.y;
    return {
      x: plane.left + (line.x[index] - x.low) / (x.high - x.low) * plane.width,
      y: plane.top + (1 - (line.y[index] - y.low) / (y.high - y.low)) * plane.height,
    };
  }

  function number(value) {
    if (typeof value === "string") { return value; }
    return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(3)));
  }

  function capital(text) { return text.charAt(0).toUpperCase() + text.slice(1); }

  // Each a name and a text: what a reading says.
  function facts(chart, line, index) {
    const x = chart.data.x;
    const y = chart.data.y;
    return line.words.concat(
      [[y.title, line.y[index].toFixed(y.digits)], [x.title, line.x[index].toFixed(x.digits)]],
      Object.keys(line.more).map(function (name) { return [name, number(line.more[name][index])]; })
    ).map(function (fact) { return [capital(fact[0]), fact[1]]; });
  }

  function row(name, value) {
    const row = document.createElement("span");
    for (const text of [name, value]) {
      row.appendChild(document.createElement("span")).textContent = text;
    }
    return row;
  }

  function words(name) { return name.replace(/_/g, " "); }

  function visible(chart) {
    return chart.data.lines.map(function (line, at) { return at; }).filter(function (at) {
      return !hidden.has(chart.data.lines[at].name);
    });
  }

  // Highlights a finding in every chart; one line only in the chart that is read.
  function highlight(name, chart, number) {
    for (const other of charts) {
      other.svg.classList.toggle("reading", name !== null && other.data.lines.some(function (line) { return line.name === name; }));
      for (const group of Array.from(other.svg.querySelectorAll(".line"))) {
        const at = Number(group.dataset.line);
        const on = other === chart ? at === number : other.data.lines[at].name === name;
        group.classList.toggle("on", name !== null && on);
        if (name !== null && on) { other.svg.appendChild(group); }
      }
    }
    for (const chip of chips) { chip.classList.toggle("on", chip.dataset.finding === name); }
  }

  function clear() {
    if (reading !== null) {
      reading.chart.tip.hidden = true;
      if (reading.chart.probe) { reading.chart.probe.remove(); reading.chart.probe = null; }
    }
    reading = null;
    highlight(null, null, null);
  }

  function read(chart, at, index, aloud) {
    if (reading !== null && reading.chart !== chart) { clear(); }
    const line = chart.data.lines[at];
    const spot = place(chart, line, index);
    reading = { chart: chart, at: at, index: index };
    highlight(line.name, chart, at);
    if (!chart.probe) {
      chart.probe = document.createElementNS(chart.svg.namespaceURI, "circle");
      chart.probe.setAttribute("class", "probe");
      chart.probe.setAttribute("r", "5");
    }
    chart.svg.appendChild(chart.probe);
    chart.probe.setAttribute("cx", spot.x);
    chart.probe.setAttribute("cy", spot.y);
    const title = document.createElement("b");
    title.textContent = words(line.name);
    const said = facts(chart, line, index);
    chart.tip.replaceChildren.apply(chart.tip, [title].concat(said.map(function (fact) { return row(fact[0], fact[1]); })));
    chart.tip.hidden = false;
    const scale = chart.svg.clientWidth / chart.svg.viewBox.baseVal.width;
    const room = chart.svg.clientWidth - chart.tip.offsetWidth;
    chart.tip.style.left = Math.max(0, Math.min(room, spot.x * scale + 16)) + "px";
    const below = spot.y * scale + 18;
    const fits = below + chart.tip.offsetHeight < chart.svg.clientHeight;
    chart.tip.style.top = (fits ? below : Math.max(0, spot.y * scale - chart.tip.offsetHeight - 18)) + "px";
    if (aloud) {
      spoken.textContent = [words(line.name)].concat(said.map(function (fact) { return fact.join(" "); })).join(", ");
    }
  }

  // Distance to the drawn line, not to its corners: long steps have corners only at their ends.
  function nearest(chart, x, y) {
    let best = null;
    for (const at of visible(chart)) {
      const line = chart.data.lines[at];
      for (let index = 0; index < line.x.length; index += 1) {
        const a = place(chart, line, Math.max(0, index - 1));
        const b = place(chart, line, index);
        const dx = b.x - a.x;
        const dy = b.y - a.y;
        const along = Math.max(0, Math.min(1, ((x - a.x) * dx + (y - a.y) * dy) / (dx * dx + dy * dy || 1)));
        const distance = Math.hypot(a.x + along * dx - x, a.y + along * dy - y);
        if (best === null || distance < best.distance) {
          best = { at: at, index: along < 0.5 ? Math.max(0, index - 1) : index, distance: distance };
        }
      }
    }
    return best;
  }

  function onPointer(chart, event) {
    const box = chart.svg.getBoundingClientRect();
    const scale = box.width / chart.svg.viewBox.baseVal.width;
    const found = nearest(chart, (event.clientX - box.left) / scale, (event.clientY - box.top) / scale);
    if (found !== null && found.distance < 36) { read(chart, found.at, found.index, false); } else { clear(); }
  }

  function onKey(chart, event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 };
    const order = visible(chart);
    if (event.key === "Escape") { clear(); return; }
    if (!(event.key in steps) || order.length === 0) { return; }
    event.preventDefault();
    const here = reading !== null && reading.chart === chart ? reading : null;
    let at = here ? here.at : order[0];
    let last = chart.data.lines[at].x.length - 1;
    let index = here ? here.index : Math.floor(last / 4);
    if (here && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      // Fifty steps from one end to the other, or as many as there are points.
      index += steps[event.key] * Math.max(1, Math.round(last / 50));
    } else if (here) {
      at = order[(order.indexOf(at) + steps[event.key] + order.length) % order.length];
      last = chart.data.lines[at].x.length - 1;
    }
    read(chart, at, Math.max(0, Math.min(last, index)), true);
  }

  function setHidden(name, off) {
    if (off) { hidden.add(name); } else { hidden.delete(name); }
    for (const chip of chips) {
      if (chip.dataset.finding === name) { chip.setAttribute("aria-pressed", String(!off)); }
    }
    for (const chart of charts) {
      for (const group of chart.svg.querySelectorAll(".line")) {
        if (chart.data.lines[Number(group.dataset.line)].name === name) { group.classList.toggle("off", off); }
      }
    }
    if (off && reading !== null && reading.chart.data.lines[reading.at].name === name) { clear(); }
  }

  function choose(explorer, value) {
    clear();
    for (const part of explorer.querySelectorAll("[data-split]:not(.chart)")) {
      part.hidden = part.dataset.split !== value;
    }
  }

  for (const chart of charts) {
    chart.svg.setAttribute("tabindex", "0");
    // Only so do screen readers pass the arrow keys on.
    chart.svg.setAttribute("role", "application");
    chart.svg.setAttribute("aria-roledescription", "chart");
    chart.svg.setAttribute("aria-label", chart.svg.getAttribute("aria-label") + ". Arrow keys read its points.");
    chart.svg.addEventListener("pointermove", function (event) { onPointer(chart, event); });
    chart.svg.addEventListener("pointerdown", function (event) { onPointer(chart, event); });
    // A finger leaves when it is lifted, and its reading should stay.
    chart.svg.addEventListener("pointerleave", function (event) { if (event.pointerType !== "touch") { clear(); } });
    chart.svg.addEventListener("keydown", function (event) { onKey(chart, event); });
    chart.svg.addEventListener("blur", clear);
  }
  for (const chip of chips) {
    const name = chip.dataset.finding;
    chip.addEventListener("click", function () { setHidden(name, !hidden.has(name)); });
    chip.addEventListener("pointerenter", function () { if (!hidden.has(name)) { highlight(name, null, null); } });
    chip.addEventListener("pointerleave", clear);
  }
  for (const button of document.querySelectorAll("[data-all]")) {
    button.addEventListener("click", function () {
      for (const chip of chips) { setHidden(chip.dataset.finding, button.dataset.all === "false"); }
    });
  }
  for (const explorer of explorers) {
    for (const input of explorer.querySelectorAll('input[type="radio"]')) {
      input.addEventListener("change", function () { choose(explorer, input.value); });
      if (input.checked) { choose(explorer, input.value); }
    }
  }
  for (const part of document.querySelectorAll(".controls, .script-only")) { part.hidden = false; }
})();
