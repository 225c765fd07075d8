"use strict";
// Sorting of tables, the table of contents, folding, and everything open in print.
(function () {
  function key(cell) {
    const text = cell.dataset.value === undefined ? cell.textContent.trim() : cell.dataset.value;
    const number = Number(text.replace(/,/g, "").replace(/\u2212/g, "-").replace(/%$/, ""));
    return text === "" || Number.isNaN(number) ? text : number;
  }

  // Numbers before words, and what is not defined last whichever way the rest goes.
  function compare(a, b, rising) {
    const last = [a, b].map(function (x) { return x === "" || x === "-inf" || x === -Infinity || x === "not defined"; });
    if (last[0] || last[1]) { return Number(last[0]) - Number(last[1]); }
    let order = typeof a === "number" ? -1 : 1;
    if (typeof a === typeof b) { order = typeof a === "number" ? a - b : a.localeCompare(b); }
    return rising ? order : -order;
  }

  function sortable(table) {
    const heads = Array.from(table.tHead.rows[table.tHead.rows.length - 1].cells);
    const body = table.tBodies[0];
    const plain = table.tBodies.length === 1 && !table.querySelector("tbody [rowspan], tbody [colspan], thead [colspan], thead [rowspan]");
    if (!plain) { return; }
    heads.forEach(function (head, column) {
      if (head.textContent.trim() === "" || head.classList.contains("plot")) { return; }
      const button = document.createElement("button");
      button.type = "button";
      button.append.apply(button, head.childNodes);
      head.replaceChildren(button);
      button.addEventListener("click", function () {
        const before = head.getAttribute("aria-sort");
        // Numbers are first wanted from the top, names from A.
        const rising = before ? before === "descending" : column === 0;
        for (const other of heads) { other.removeAttribute("aria-sort"); }
        head.setAttribute("aria-sort", rising ? "ascending" : "descending");
        const rows = Array.from(body.rows);
        rows.sort(function (a, b) { return compare(key(a.cells[column]), key(b.cells[column]), rising); });
        body.append.apply(body, rows);
      });
    });
  }

  function contents() {
    const nav = document.querySelector("nav.contents");
    const details = nav.querySelector("details");
    const links = Array.from(nav.querySelectorAll("a"));
    const wide = window.matchMedia("(min-width: 1240px)");
    function settle() { details.open = wide.matches; }
    settle();
    wide.addEventListener("change", settle);
    document.addEventListener("keydown", function (event) {
      if (event.key === "Escape" && details.open && !wide.matches) { details.open = false; }
    });
    let current = null;
    function mark() {
      let found = null;
      for (const link of links) {
        const target = document.getElementById(link.hash.slice(1));
        if ((target.closest(".part") || target).getBoundingClientRect().top < 160) { found = link; }
      }
      if (found === current) { return; }
      if (current) { current.removeAttribute("aria-current"); }
      if (found) { found.setAttribute("aria-current", "true"); }
      current = found;
    }
    let waiting = false;
    window.addEventListener("scroll", function () {
      if (waiting) { return; }
      waiting = true;
      window.requestAnimationFrame(function () { waiting = false; mark(); });
    }, { passive: true });
    for (const link of links) {
      link.addEventListener("click", function () { if (!wide.matches) { details.open = false; } });
    }
    mark();
  }

  document.documentElement.classList.add("scripted");
  contents();
  document.querySelectorAll("main table.sortable").forEach(sortable);
  for (const button of document.querySelectorAll("[data-open]")) {
    const open = button.dataset.open === "true";
    button.addEventListener("click", function () {
      // Closed sections keep what was open inside them.
      for (const part of document.querySelectorAll(open ? "main details" : ".part")) { part.open = open; }
    });
  }
  document.querySelector("[data-sheet]").addEventListener("click", function () {
    document.documentElement.classList.add("sheet-only");
    window.print();
  });
  let closed = [];
  window.addEventListener("beforeprint", function () {
    // Printing may be announced twice; what was closed before the first is what counts.
    closed = closed.concat(Array.from(document.querySelectorAll("main details:not([open])")));
    for (const part of closed) { part.open = true; }
  });
  window.addEventListener("afterprint", function () {
    for (const part of closed) { part.open = false; }
    closed = [];
    document.documentElement.classList.remove("sheet-only");
  });
})();
