"use strict";
(function () {
  const data = JSON.parse(document.getElementById("details").textContent);
  const NS = "http://www.w3.org/2000/svg", tip = document.getElementById("tip");
  const finite = function (x) { return x !== null && x !== undefined; };

  function node(name, attributes, text) {
    const made = document.createElement(name);
    for (const key in attributes || {}) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function draw(parent, name, attributes, text) {
    const made = document.createElementNS(NS, name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    parent.appendChild(made);
    return made;
  }

  // What a word or a point says, on hover and on focus.
  function show(target, x, y) {
    tip.textContent = target.dataset.tip;
    tip.hidden = false;
    tip.style.left = Math.max(4, Math.min(x + 12, innerWidth - tip.offsetWidth - 8)) + "px";
    tip.style.top = (y - tip.offsetHeight - 10 < 4 ? y + 20 : y - tip.offsetHeight - 10) + "px";
  }
  function hide() { tip.hidden = true; }
  document.addEventListener("pointerover", function (event) {
    const target = event.target.closest("[data-tip]");
    if (target) show(target, event.clientX, event.clientY); else hide();
  });
  document.addEventListener("focusin", function (event) {
    const target = event.target.closest("[data-tip]");
    if (!target) return hide();
    const box = target.getBoundingClientRect();
    show(target, box.left, box.top);
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", function (event) { if (event.key === "Escape") hide(); });

  // Tables: sort, filter, choose columns, download.
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
  function csv(table) {
    const quoted = function (cell) {
      const text = cell.textContent.trim().replace(/\s+/g, " ");
      return /[",\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
    };
    return Array.from(table.rows).filter(function (row) { return !row.hidden; }).map(function (row) {
      return Array.from(row.cells).filter(function (cell) { return !cell.hidden; }).map(quoted).join(",");
    }).join("\n") + "\n";
  }
  function download(table) {
    const link = node("a", { download: table.caption.textContent.replace(/[^\w]+/g, "_").toLowerCase() + ".csv" });
    link.href = URL.createObjectURL(new Blob([csv(table)], { type: "text/csv" }));
    link.click();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 1000);
  }
  function chooser(table) {
    const box = node("details"), list = node("div");
    box.append(node("summary", {}, "Columns"), list);
    Array.from(table.tHead.rows[0].cells).forEach(function (head, i) {
      const label = node("label"), tick = node("input", { type: "checkbox" });
      tick.checked = true;
      tick.addEventListener("change", function () {
        for (const row of table.rows) row.cells[i].hidden = !tick.checked;
      });
      label.append(tick, " " + head.textContent);
      list.append(label);
    });
    return box;
  }
  function equip(table) {
    table.querySelectorAll("thead button").forEach(function (button) {
      button.addEventListener("click", function () { sort(button); });
    });
    for (const row of table.tBodies[0].rows) for (const cell of row.querySelectorAll("th")) link(cell);
    if (table.classList.contains("heat")) heat(table);
    edges(table);
    words(table);
    if (table.tBodies[0].rows.length < 4) return;
    const tools = node("div", { class: "tools" }), save = node("button", { type: "button", class: "save" }, "Download CSV");
    const filter = node("input", { type: "search", placeholder: "filter rows", "aria-label": "Filter rows of " + table.caption.textContent });
    filter.addEventListener("input", function () {
      const wanted = filter.value.toLowerCase().split(/\s+/);
      for (const row of table.tBodies[0].rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !wanted.every(function (word) { return text.includes(word); });
      }
    });
    save.addEventListener("click", function () { download(table); });
    tools.append(filter, chooser(table), save);
    table.closest(".wide").before(tools);
  }
  function edges(table) {
    let before = "";
    for (const row of table.tBodies[0].rows) {
      const band = row.className;
      if (band && before && band !== before) row.classList.add("edge");
      before = band || before;
    }
  }
  // Columns of words are set from the left.
  function words(table) {
    Array.from(table.tHead.rows[0].cells).forEach(function (head, i) {
      const keys = Array.from(table.tBodies[0].rows, function (row) { return row.cells[i].dataset.value; }).filter(Boolean);
      if (keys.length && keys.every(function (text) { return isNaN(Number(text)); })) {
        for (const row of table.rows) row.cells[i].style.textAlign = "left";
      }
    });
  }
  function heat(table) {
    for (const cell of table.querySelectorAll("tbody td")) {
      const value = parseFloat(cell.dataset.value);
      if (isNaN(value)) continue;
      const share = Math.round(Math.min(1, Math.abs(value)) * 75);
      cell.style.background = "color-mix(in srgb, var(--" + (value < 0 ? "cold" : "warm") + ") " + share + "%, var(--paper))";
      if (share > 45) cell.style.color = "#fff";
    }
  }
  function table(shown, title) {
    const made = node("table", { class: "data" }), head = node("tr"), body = node("tbody"), wide = node("div", { class: "wide" });
    shown.head.forEach(function (column) {
      const cell = node("th", { scope: "col" });
      if (column[1]) cell.dataset.tip = column[1];
      cell.append(node("button", { type: "button" }, column[0]));
      head.append(cell);
    });
    shown.rows.forEach(function (row) {
      const line = node("tr");
      row.forEach(function (cell, i) {
        const text = Array.isArray(cell) ? cell[0] : cell, value = Array.isArray(cell) ? cell[1] : cell;
        line.append(node(i ? "td" : "th", i ? { "data-value": value } : { "data-value": value, scope: "row" }, text));
      });
      body.append(line);
    });
    const top = node("thead");
    top.append(head);
    made.append(node("caption", {}, title), top, body);
    wide.append(made);
    return wide;
  }

  // The runs behind a checkpoint.
  const dialog = document.getElementById("runs");
  function link(cell) {
    const name = cell.textContent.trim();
    if (!Object.prototype.hasOwnProperty.call(data.runs, name)) return;
    cell.textContent = "";
    const button = node("button", { type: "button", class: "open", "aria-haspopup": "dialog" }, name);
    button.addEventListener("click", function () { open(name); });
    cell.append(button);
  }
  function open(name) {
    const mine = data.runs[name], body = dialog.querySelector(".body");
    const titles = ["task", "protocol", "repeat", "value", "chosen on val", "seconds", "result file"];
    const most = Math.max.apply(null, mine.rows.map(function (row) { return row[0].length; }));
    const curves = mine.rows.some(function (row) { return row[1]; });
    const shown = { head: titles.slice(0, most).map(function (t) { return [t, ""]; }), rows: [] };
    mine.rows.forEach(function (row) {
      const cells = shown.head.map(function (_, i) { return finite(row[0][i]) ? String(row[0][i]) : ""; });
      shown.rows.push(curves ? cells.concat([""]) : cells);
    });
    if (curves) shown.head.push(["training loss", ""]);
    body.textContent = "";
    const wide = table(shown, "Runs of " + name);
    body.append(wide);
    if (curves) mine.rows.forEach(function (row, i) { if (row[1]) spark(wide.querySelector("tbody").rows[i].lastChild, row[1]); });
    equip(wide.firstChild);
    dialog.querySelector("h2").textContent = name;
    dialog.querySelector("p").textContent = mine.certificate;
    dialog.showModal();
  }
  function spark(cell, values) {
    const top = Math.max.apply(null, values), low = Math.min.apply(null, values), wide = 90 / Math.max(1, values.length - 1);
    const text = "training loss from " + values[0] + " to " + values[values.length - 1];
    const svg = draw(cell, "svg", { width: 94, height: 22, role: "img", "aria-label": text });
    cell.dataset.tip = text;
    draw(svg, "polyline", { points: values.map(function (v, i) { return (2 + i * wide) + "," + (20 - 18 * (v - low) / (top - low || 1)); }).join(" "), fill: "none", stroke: "var(--accent)", "stroke-width": 1.5 });
  }

  // Charts.
  const SHAPES = {
    circle: "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0", square: "M-3.6,-3.6h7.2v7.2h-7.2z", diamond: "M0,-5L5,0L0,5L-5,0z",
    up: "M0,-5L4.6,3.6L-4.6,3.6z", down: "M0,5L4.6,-3.6L-4.6,-3.6z", plus: "M-1.6,-4.6h3.2v3h3v3.2h-3v3h-3.2v-3h-3v-3.2h3z",
    cross: "M-4.4,-2.4l2,-2l2.4,2.4l2.4,-2.4l2,2l-2.4,2.4l2.4,2.4l-2,2l-2.4,-2.4l-2.4,2.4l-2,-2l2.4,-2.4z",
  };
  function colour(style) { return style < 0 ? "var(--free)" : "var(--c" + (style % data.colours) + ")"; }
  function mark(svg, x, y, style, text) {
    const group = draw(svg, "g", { class: "mark", transform: "translate(" + x.toFixed(1) + "," + y.toFixed(1) + ")" });
    const free = style < 0;
    draw(group, "path", { d: free ? SHAPES.circle : SHAPES[data.shapes[style % data.shapes.length]], fill: free ? "var(--card)" : colour(style), stroke: colour(style), "stroke-width": free ? 1.6 : 0 });
    draw(group, "circle", { r: 9, fill: "transparent" });
    group.dataset.tip = text;
  }
  function whisker(svg, x1, y1, x2, y2, style) {
    draw(svg, "line", { x1: x1, y1: y1, x2: x2, y2: y2, class: "whisker", stroke: colour(style), opacity: 0.75 });
  }
  function ticks(low, high, count) {
    const rough = (high - low) / count || 1, power = Math.pow(10, Math.floor(Math.log10(rough)));
    const step = [1, 2, 5, 10].map(function (m) { return m * power; }).find(function (s) { return s >= rough * 0.999; });
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(Number((i * step).toPrecision(10)));
    return found;
  }
  function canvas(figure, width, height, text) {
    const old = figure.querySelector("svg");
    if (old) old.remove();
    const svg = draw(figure, "svg", { width: width, height: height, viewBox: "0 0 " + width + " " + height, role: "img", "aria-label": text, tabindex: 0 });
    svg.addEventListener("keydown", function (event) {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      const marks = Array.from(svg.querySelectorAll(".mark")), now = marks.findIndex(function (m) { return m.classList.contains("on"); });
      const next = marks[(now + step + marks.length) % marks.length];
      marks.forEach(function (m) { m.classList.toggle("on", m === next); });
      const box = next.getBoundingClientRect();
      show(next, box.left, box.top);
      event.preventDefault();
    });
    return svg;
  }
  function shown(value, low, high) {
    return value.toFixed(2) + (finite(low) && finite(high) ? " [" + low.toFixed(2) + ", " + high.toFixed(2) + "]" : "");
  }
  function forest(figure, spec) {
    const width = figure.clientWidth, rows = spec.rows, narrow = width < 420, gap = 20;
    const names = rows.map(function (row) { return row[0].replace("control: ", ""); });
    const longest = Math.max.apply(null, names.map(function (n) { return n.length; }));
    const left = Math.min(longest * 6.3 + 8, width * 0.45), right = narrow ? 12 : 150, height = rows.length * gap + 34;
    const ends = rows.flatMap(function (row) { return [row[1], row[2], row[3]]; }).filter(finite).concat([0]);
    const low = spec.range ? spec.range[0] : Math.min.apply(null, ends), high = spec.range ? spec.range[1] : Math.max.apply(null, ends);
    const at = function (x) { return left + 6 + (width - left - right - 12) * (x - low) / (high - low || 1); };
    const text = spec.name + ": " + rows.map(function (row) { return row[0] + " " + shown(row[1], row[2], row[3]); }).join("; ");
    const svg = canvas(figure, width, height, text), floor = rows.length * gap + 4;
    ticks(low, high, narrow ? 3 : 6).forEach(function (x) {
      draw(svg, "line", { x1: at(x), x2: at(x), y1: 0, y2: floor, class: x === 0 ? "axis" : "grid" });
      draw(svg, "text", { x: at(x), y: floor + 13, "text-anchor": "middle", class: "soft" }, String(x));
    });
    draw(svg, "text", { x: left + 6, y: floor + 27, class: "soft" }, "\u2190 " + spec.left);
    draw(svg, "text", { x: width - right - 6, y: floor + 27, "text-anchor": "end", class: "soft" }, spec.right + " \u2192");
    rows.forEach(function (row, i) {
      const y = i * gap + gap / 2 + 2, room = Math.floor(left / 6.3);
      draw(svg, "text", { x: left, y: y + 4, "text-anchor": "end" }, names[i].length > room ? names[i].slice(0, room - 1) + "\u2026" : names[i]);
      if (finite(row[2])) whisker(svg, at(row[2]), y, at(row[3]), y, row[4]);
      mark(svg, at(row[1]), y, row[4], row[0] + ": " + shown(row[1], row[2], row[3]) + ", " + row[5]);
      if (!narrow) draw(svg, "text", { x: width - right + 8, y: y + 4, class: "soft" }, shown(row[1], row[2], row[3]));
    });
    if (spec.left.length + spec.right.length > (width - left - right) / 6.5) svg.querySelectorAll("text").forEach(function (t) { if (t.textContent.startsWith("\u2190")) t.remove(); });
  }
  function scatter(figure, spec) {
    const width = Math.min(figure.clientWidth, spec.wide ? 760 : 420), height = spec.wide ? Math.min(380, width * 0.75) : width * 0.78;
    const log = spec.log ? Math.log10 : function (x) { return x; }, points = spec.points;
    function range(index, given) {
      const all = given || points.flatMap(function (p) { return [p[index]].concat(p[index + 2] || []); });
      const low = log2(index, Math.min.apply(null, all)), high = log2(index, Math.max.apply(null, all)), pad = (high - low) * 0.07 || 0.5;
      return [low - pad, high + pad];
    }
    function log2(index, x) { return index === 1 ? log(x) : x; }
    const X = range(1), Y = range(2, spec.yrange), left = 42, floor = height - 34;
    const at = function (x) { return left + (width - left - 8) * (log(x) - X[0]) / (X[1] - X[0]); };
    const up = function (y) { return floor - (floor - 6) * (y - Y[0]) / (Y[1] - Y[0]); };
    const svg = canvas(figure, width, height, spec.name + ": " + points.length + " points, " + spec.x + " against " + spec.y);
    const across = spec.log ? decades(X) : ticks(X[0], X[1], width < 300 ? 3 : 5);
    across.forEach(function (x) {
      draw(svg, "line", { x1: at(x), x2: at(x), y1: 6, y2: floor, class: "grid" });
      draw(svg, "text", { x: at(x), y: floor + 13, "text-anchor": "middle", class: "soft" }, String(x));
    });
    ticks(Y[0], Y[1], 4).forEach(function (y) {
      draw(svg, "line", { x1: left, x2: width - 8, y1: up(y), y2: up(y), class: "grid" });
      draw(svg, "text", { x: left - 4, y: up(y) + 4, "text-anchor": "end", class: "soft" }, String(y));
    });
    draw(svg, "text", { x: (left + width) / 2, y: height - 4, "text-anchor": "middle" }, spec.x);
    draw(svg, "text", { x: 0, y: 0, transform: "translate(10," + floor / 2 + ") rotate(-90)", "text-anchor": "middle" }, spec.y);
    if (spec.steps && spec.steps.length > 1) {
      draw(svg, "path", { class: "front", d: "M" + spec.steps.map(function (p, i) { return (i ? "H" + at(p[0]) + "V" : at(p[0]) + ",") + up(p[1]); }).join("") });
    }
    const taken = points.map(function (p) { return [at(p[1]) - 5, up(p[2]) - 5, at(p[1]) + 5, up(p[2]) + 5]; });
    points.forEach(function (p) {
      if (p[3]) whisker(svg, at(p[3][0]), up(p[2]), at(p[3][1]), up(p[2]), p[5]);
      if (p[4]) whisker(svg, at(p[1]), up(p[4][0]), at(p[1]), up(p[4][1]), p[5]);
    });
    points.forEach(function (p) { label(svg, p[0], at(p[1]), up(p[2]), taken, [left, 6, width - 4, floor]); });
    points.forEach(function (p) {
      const text = p[0] + ": " + spec.x + " " + said(p[1], p[3]) + ", " + spec.y + " " + said(p[2], p[4]);
      mark(svg, at(p[1]), up(p[2]), p[5], text);
    });
  }
  function said(value, span) {
    return Number(value.toPrecision(4)) + (span ? " [" + span.map(function (x) { return Number(x.toPrecision(4)); }).join(", ") + "]" : "");
  }
  function decades(range) {
    const found = [];
    for (let power = Math.floor(range[0]); power <= range[1]; power++) {
      (range[1] - range[0] < 2 ? [1, 2, 5] : [1]).forEach(function (m) {
        const x = Number((m * Math.pow(10, power)).toPrecision(3));
        if (Math.log10(x) >= range[0] && Math.log10(x) <= range[1]) found.push(x);
      });
    }
    return found;
  }
  // A name goes where it fits: right, left, above or below its point; else it is only on hover.
  function label(svg, name, x, y, taken, frame) {
    const w = name.length * 5.6, places = [[x + 7, y - 5], [x - 7 - w, y - 5], [x - w / 2, y - 18], [x - w / 2, y + 7]];
    const box = places.map(function (p) { return [p[0], p[1], p[0] + w, p[1] + 11]; }).find(function (b) {
      return b[0] >= frame[0] && b[1] >= frame[1] && b[2] <= frame[2] && b[3] <= frame[3] &&
        taken.every(function (o) { return b[2] < o[0] || b[0] > o[2] || b[3] < o[1] || b[1] > o[3]; });
    });
    if (!box) return;
    taken.push(box);
    draw(svg, "text", { x: box[0], y: box[1] + 9, class: "soft", style: "font-size:10px" }, name);
  }
  const observer = new ResizeObserver(function (entries) { entries.forEach(function (entry) { paint(entry.target); }); });
  function paint(figure) {
    if (!figure.clientWidth || figure.dataset.width === String(figure.clientWidth)) return;
    figure.dataset.width = figure.clientWidth;
    ({ forest: forest, scatter: scatter })[figure.spec.kind](figure, figure.spec);
  }
  function chart(figure, spec) { figure.spec = spec; paint(figure); observer.observe(figure); }

  // Tasks are filled when they are opened.
  function fill(part) {
    if (part.dataset.full) return;
    part.dataset.full = "yes";
    const task = data.tasks[Number(part.dataset.task)], panels = node("div", { class: "panels" });
    part.append(panels);
    task.charts.forEach(function (spec) {
      const figure = node("figure", { class: "chart" });
      figure.append(node("figcaption", {}, spec.name));
      panels.append(figure);
      chart(figure, spec);
    });
    task.tables.forEach(function (shown) {
      const wide = table(shown, shown.title + ": " + task.name);
      part.append(node("h3", {}, shown.title), wide);
      equip(wide.firstChild);
    });
  }
  document.querySelectorAll("figure.chart").forEach(function (figure) { chart(figure, JSON.parse(figure.dataset.chart)); });
  document.querySelectorAll("table.data").forEach(equip);
  document.querySelectorAll("details.task").forEach(function (part) {
    if (part.open) fill(part);
    part.addEventListener("toggle", function () { if (part.open) fill(part); });
  });
  document.querySelectorAll(".check a").forEach(function (anchor) {
    anchor.addEventListener("click", function () { anchor.closest("details").open = true; });
  });
  document.querySelectorAll(".copy").forEach(function (button) {
    button.addEventListener("click", function () {
      navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent).then(function () { button.textContent = "Copied"; });
    });
  });
})();
