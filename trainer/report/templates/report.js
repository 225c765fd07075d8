"use strict";
(function () {
  const data = JSON.parse(document.getElementById("points").textContent);
  const explorer = document.getElementById("explorer");
  const tip = document.getElementById("tip");
  const spoken = document.getElementById("spoken");
  const charts = Array.from(explorer.querySelectorAll("figure.chart"));
  const chips = Array.from(explorer.querySelectorAll(".chip"));
  const hidden = new Set();
  let reading = null;

  function shown() {
    return charts.find(function (chart) { return !chart.hidden; });
  }

  function place(roc, index) {
    const plane = data.plane;
    return {
      x: plane.left + roc[0][index] * plane.size,
      y: plane.top + (1 - roc[1][index]) * plane.size,
    };
  }

  function threshold(value) {
    return value === null ? "above every score" : "score \u2265 " + Number(value.toPrecision(3));
  }

  function line(name, value) {
    const row = document.createElement("span");
    for (const text of [name, value]) {
      row.appendChild(document.createElement("span")).textContent = text;
    }
    return row;
  }

  function highlight(finding) {
    const svg = shown().querySelector("svg");
    svg.classList.toggle("reading", finding !== null);
    for (const curve of svg.querySelectorAll(".curve")) {
      const on = finding !== null && Number(curve.dataset.finding) === finding;
      curve.classList.toggle("on", on);
      if (on) { svg.insertBefore(curve, svg.querySelector(".probe")); }
    }
    for (const chip of chips) {
      chip.classList.toggle("on", Number(chip.dataset.finding) === finding);
    }
  }

  function clear() {
    reading = null;
    highlight(null);
    tip.hidden = true;
  }

  function read(finding, index, aloud) {
    const chart = shown();
    const entry = data.splits[chart.dataset.split][finding];
    const svg = chart.querySelector("svg");
    const spot = place(entry.roc, index);
    const probe = svg.querySelector(".probe");
    reading = { finding: finding, index: index };
    highlight(finding);
    probe.classList.add("on");
    probe.setAttribute("cx", spot.x);
    probe.setAttribute("cy", spot.y);
    const title = document.createElement("b");
    title.textContent = entry.name;
    const sensitivity = entry.roc[1][index].toFixed(3);
    const alarms = entry.roc[0][index].toFixed(3);
    tip.replaceChildren(
      title,
      line("AUC", entry.auc),
      line("Sensitivity", sensitivity),
      line("1 \u2212 specificity", alarms),
      line("Threshold", threshold(entry.roc[2][index]))
    );
    tip.hidden = false;
    const scale = svg.clientWidth / svg.viewBox.baseVal.width;
    const room = svg.clientWidth - tip.offsetWidth;
    // Above the curve lies the empty corner only for weak models; below right it never hides it.
    tip.style.left = Math.max(0, Math.min(room, spot.x * scale + 16)) + "px";
    const below = spot.y * scale + 18;
    const fits = below + tip.offsetHeight < svg.clientHeight;
    tip.style.top = (fits ? below : spot.y * scale - tip.offsetHeight - 18) + "px";
    if (aloud) {
      spoken.textContent = entry.name + ", sensitivity " + sensitivity +
        ", 1 minus specificity " + alarms + ", " + threshold(entry.roc[2][index]);
    }
  }

  function visible() {
    const entries = data.splits[shown().dataset.split];
    return entries.map(function (entry, number) { return number; }).filter(function (number) {
      return entries[number].roc && !hidden.has(number);
    });
  }

  // Distance to the drawn line, not to its corners: long steps have corners only at their ends.
  function nearest(x, y) {
    const entries = data.splits[shown().dataset.split];
    let best = null;
    for (const finding of visible()) {
      const roc = entries[finding].roc;
      for (let index = 1; index < roc[0].length; index += 1) {
        const a = place(roc, index - 1);
        const b = place(roc, index);
        const dx = b.x - a.x;
        const dy = b.y - a.y;
        const along = Math.max(0, Math.min(1, ((x - a.x) * dx + (y - a.y) * dy) / (dx * dx + dy * dy || 1)));
        const distance = Math.hypot(a.x + along * dx - x, a.y + along * dy - y);
        if (best === null || distance < best.distance) {
          best = { finding: finding, index: along < 0.5 ? index - 1 : index, distance: distance };
        }
      }
    }
    return best;
  }

  function onPointer(event) {
    const svg = event.currentTarget;
    const box = svg.getBoundingClientRect();
    const scale = box.width / svg.viewBox.baseVal.width;
    const found = nearest((event.clientX - box.left) / scale, (event.clientY - box.top) / scale);
    if (found !== null && found.distance < 36) { read(found.finding, found.index, false); } else { clear(); }
  }

  function onKey(event) {
    const steps = { ArrowRight: 4, ArrowLeft: -4, ArrowDown: 1, ArrowUp: -1 };
    const order = visible();
    if (event.key === "Escape") { clear(); return; }
    if (!(event.key in steps) || order.length === 0) { return; }
    event.preventDefault();
    const entries = data.splits[shown().dataset.split];
    let finding = reading === null ? order[0] : reading.finding;
    let index = reading === null ? Math.floor(entries[finding].roc[0].length / 4) : reading.index;
    if (reading !== null && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      index += steps[event.key];
    } else if (reading !== null) {
      const position = order.indexOf(finding) + steps[event.key] + order.length;
      finding = order[position % order.length];
    }
    read(finding, Math.max(0, Math.min(entries[finding].roc[0].length - 1, index)), true);
  }

  function setHidden(finding, off) {
    if (off) { hidden.add(finding); } else { hidden.delete(finding); }
    chips[finding].setAttribute("aria-pressed", String(!off));
    for (const curve of explorer.querySelectorAll('.curve[data-finding="' + finding + '"]')) {
      curve.classList.toggle("off", off);
    }
    if (off && reading !== null && reading.finding === finding) { clear(); }
  }

  function choose(split) {
    clear();
    for (const chart of charts) { chart.hidden = chart.dataset.split !== split; }
  }

  function explore() {
    document.getElementById("controls").hidden = false;
    for (const note of document.querySelectorAll(".script-only")) { note.hidden = false; }
    choose(charts[0].dataset.split);
    for (const chart of charts) {
      const svg = chart.querySelector("svg");
      svg.addEventListener("pointermove", onPointer);
      svg.addEventListener("pointerdown", onPointer);
      svg.addEventListener("pointerleave", clear);
      svg.addEventListener("keydown", onKey);
      svg.addEventListener("blur", clear);
    }
    for (const chip of chips) {
      const finding = Number(chip.dataset.finding);
      chip.addEventListener("click", function () { setHidden(finding, !hidden.has(finding)); });
      chip.addEventListener("pointerenter", function () { if (!hidden.has(finding)) { highlight(finding); } });
      chip.addEventListener("pointerleave", clear);
    }
    for (const button of explorer.querySelectorAll("[data-all]")) {
      button.addEventListener("click", function () {
        chips.forEach(function (chip, finding) { setHidden(finding, button.dataset.all === "false"); });
      });
    }
    for (const input of explorer.querySelectorAll('input[name="split"]')) {
      input.addEventListener("change", function () { choose(input.value); });
    }
  }

  function sortable(table) {
    const body = table.tBodies[0];
    Array.from(table.tHead.rows[0].cells).forEach(function (head, column) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", function () {
        const before = head.getAttribute("aria-sort");
        // Numbers are first wanted from the top, names from A.
        const rising = before ? before === "descending" : column === 0;
        for (const other of table.tHead.rows[0].cells) { other.removeAttribute("aria-sort"); }
        head.setAttribute("aria-sort", rising ? "ascending" : "descending");
        const rows = Array.from(body.rows);
        rows.sort(function (a, b) {
          const x = a.cells[column].dataset.value;
          const y = b.cells[column].dataset.value;
          const order = column === 0 ? x.localeCompare(y) : Number(x) - Number(y);
          return rising ? order : -order;
        });
        body.append.apply(body, rows);
      });
    });
  }

  function open() {
    for (const part of document.querySelectorAll("details")) { part.open = true; }
  }

  explore();
  document.querySelectorAll("table.sortable").forEach(sortable);
  window.addEventListener("beforeprint", open);
})();
