"use strict";
(function () {
  function key(row, column) {
    const text = row.cells[column].dataset.value;
    return text === "" ? null : isNaN(Number(text)) ? text : Number(text);
  }
  function sort(button) {
    const head = button.closest("th"), body = head.closest("table").tBodies[0], column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = Array.from(body.rows);
    rows.sort(function (a, b) {
      const x = key(a, column), y = key(b, column);
      if (x === null || y === null) return (x === null) - (y === null);
      const order = typeof x === "string" || typeof y === "string" ? String(x).localeCompare(String(y)) : x - y;
      return down ? -order : order;
    });
    rows.forEach(function (row) { body.appendChild(row); });
  }
  document.querySelectorAll("th button").forEach(function (button) {
    button.addEventListener("click", function () { sort(button); });
  });
  const box = document.getElementById("tip");
  function show(mark, x, y) {
    box.textContent = mark.dataset.tip;
    box.hidden = false;
    box.style.left = Math.max(4, Math.min(x + 12, innerWidth - box.offsetWidth - 8)) + "px";
    box.style.top = Math.max(4, y - box.offsetHeight - 10) + "px";
  }
  document.querySelectorAll("g.tip").forEach(function (mark) {
    const title = mark.querySelector("title");
    mark.dataset.tip = title.textContent;
    mark.setAttribute("aria-label", title.textContent);
    title.remove();
    mark.addEventListener("pointerenter", function (event) { show(mark, event.clientX, event.clientY); });
    mark.addEventListener("pointerleave", function () { box.hidden = true; });
  });
  addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (part) { part.open = true; });
  });
})();
