"use strict";
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const data = JSON.parse(one("#data").textContent);
  const body = one("tbody");
  const rows = all("tr.row");

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const drawn = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // Light and dark: what the system prefers, until the button is pressed.
  const theme = one("#theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  const label = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => { document.documentElement.dataset.theme = isDark() ? "light" : "dark"; label(); });
  dark.addEventListener("change", label);
  theme.hidden = false;
  label();

  // Sorting: an empty cell is last either way, and equal rows stay in their order.
  const heads = all("th[data-column]");
  const sort = (head) => {
    const column = Number(head.dataset.column);
    const isNumber = head.dataset.kind === "number";
    const before = head.getAttribute("aria-sort");
    const order = before === "none" ? (isNumber ? "descending" : "ascending") : before === "ascending" ? "descending" : "ascending";
    const sign = order === "ascending" ? 1 : -1;
    const keyed = all("tr.row", body).map((row) => {
      const text = row.cells[column].dataset.v;
      return { row, key: text === "" ? null : isNumber ? Number(text) : text };
    });
    keyed.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
      return sign * (isNumber ? a.key - b.key : a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
    });
    for (const other of heads) other.setAttribute("aria-sort", other === head ? order : "none");
    const sorted = document.createDocumentFragment();
    for (const { row } of keyed) {
      sorted.append(row);
      if (row.detail) sorted.append(row.detail);
    }
    body.append(sorted);
  };
  for (const head of heads) one("button", head).addEventListener("click", () => sort(head));

  // Filters: every word must occur, and the severity must be pressed.
  const words = one("#filter");
  const chips = all(".chip");
  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const severities = new Set(chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.dataset.severity));
    let shown = 0;
    for (const row of rows) {
      const matches = severities.has(row.dataset.severity) && wanted.every((word) => row.dataset.text.includes(word));
      row.hidden = !matches;
      if (row.detail) row.detail.hidden = !matches || !isOpen(row);
      shown += matches;
    }
    one("#shown").textContent = shown === rows.length ? `${rows.length} containers` : `${shown} of ${rows.length} containers`;
  };
  words.addEventListener("input", filter);
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", chip.getAttribute("aria-pressed") !== "true");
      filter();
    });
  }

  // Details: made when they are first opened, so that a thousand rows cost nothing before.
  const isOpen = (row) => one(".open", row).getAttribute("aria-expanded") === "true";
  const details = (row, about) => {
    const detail = element("tr", undefined, "detail");
    const cell = element("td");
    cell.colSpan = row.cells.length;
    const body = element("div", undefined, "body");
    const facts = element("div");
    const list = element("dl");
    for (const [name, value] of about.facts) list.append(element("dt", name), element("dd", value));
    facts.append(list);
    if (about.notes.length) {
      const notes = element("ul");
      notes.append(...about.notes.map((note) => element("li", note)));
      facts.append(notes);
    }
    const plots = element("div", undefined, "plots");
    plots.append(plot(["CPU", "usage of the busiest pod"], about.cpu, cpuScale), plot(["Memory", "usage of the largest pod"], about.memory, memoryScale));
    body.append(facts, plots);
    cell.append(body);
    detail.append(cell);
    return detail;
  };
  for (const row of rows) {
    const button = one(".open", row);
    button.addEventListener("click", () => {
      const open = !isOpen(row);
      if (!row.detail) {
        row.detail = details(row, data[Number(row.dataset.row)]);
        row.detail.id = "detail-" + row.dataset.row;
        button.setAttribute("aria-controls", row.detail.id);
        row.after(row.detail);
      }
      button.setAttribute("aria-expanded", open);
      row.detail.hidden = !open;
    });
  }

  // Plots. CPU comes in cores and memory in MiB; both are shown in the unit that suits the largest value.
  const cpuScale = (top) => (top < 1 ? [1000, "millicores"] : [1, "cores"]);
  const memoryScale = (top) => (top < 2048 ? [1, "MiB"] : [1 / 1024, "GiB"]);
  const width = 640, height = 200, left = 46, right = 8, upper = 10, lower = 24;
  const nice = (value) => {
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 2.5, 5, 10].find((step) => step * power >= value * (1 - 1e-9)) * power;
  };
  const number = (value) => String(Number(value.toPrecision(3)));
  const dayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const day = (time) => `${time.getUTCDate()} ${months[time.getUTCMonth()]}`;
  const clock = (time) => `${String(time.getUTCHours()).padStart(2, "0")}:${String(time.getUTCMinutes()).padStart(2, "0")}`;
  const moment = (seconds) => {
    const time = new Date(seconds * 1000);
    return `${dayNames[time.getUTCDay()]} ${day(time)} ${clock(time)} UTC`;
  };
  const points = (series) => series.v.map((value, index) => [series.s + index * series.d, value]);

  // A path of lines, broken where a value is missing; a value alone is a dot of a line.
  const lines = (series, x, y) => {
    let path = "", isBroken = true;
    for (const [time, value] of points(series)) {
      if (value === null) { isBroken = true; continue; }
      path += isBroken ? `M${x(time)} ${y(value)}h0.1` : `L${x(time)} ${y(value)}`;
      isBroken = false;
    }
    return path;
  };
  const area = (series, x, y) => {
    let path = "", last = null;
    for (const [time, value] of [...points(series), [0, null]]) {
      if (value === null) { if (last !== null) path += `L${x(last)} ${y(0)}Z`; last = null; continue; }
      path += last === null ? `M${x(time)} ${y(0)}L${x(time)} ${y(value)}` : `L${x(time)} ${y(value)}`;
      last = time;
    }
    return path;
  };
  const stairs = (series, x, y) => {
    let path = "", isBroken = true;
    for (const [time, value] of points(series)) {
      if (value === null) { isBroken = true; continue; }
      path += `${isBroken ? "M" : "L"}${x(time)} ${y(value)}H${x(time + series.d)}`;
      isBroken = false;
    }
    return path;
  };

  const timeAxis = (svg, from, to, x) => {
    const hour = 3600;
    const step = [hour / 4, hour, 3 * hour, 6 * hour, 12 * hour, 24 * hour, 48 * hour, 168 * hour, 720 * hour].find((step) => (to - from) / step <= 8) || 2160 * hour;
    for (let time = Math.ceil(from / step) * step; time <= to; time += step) {
      const at = new Date(time * 1000);
      const text = step >= 24 * hour || clock(at) === "00:00" ? day(at) : clock(at);
      const anchor = x(time) > width - 30 ? "end" : x(time) < left + 20 ? "start" : "middle";
      svg.append(drawn("path", { class: "grid", d: `M${x(time)} ${upper}V${height - lower}` }));
      svg.append(drawn("text", { x: x(time), y: height - 8, "text-anchor": anchor }, text));
    }
    svg.append(drawn("text", { x: left - 7, y: height - 8, "text-anchor": "end" }, "UTC"));
  };
  const valueAxis = (svg, top, step, scale, y) => {
    for (let value = 0; value <= top * (1 + 1e-9); value += step) {
      svg.append(drawn("path", { class: "grid", d: `M${left} ${y(value)}H${width - right}` }));
      svg.append(drawn("text", { x: left - 7, y: Number(y(value)) + 4, "text-anchor": "end" }, number(value * scale)));
    }
  };

  const plot = ([title, usage], about, scaleOf) => {
    const figure = element("figure");
    const caption = element("figcaption");
    const { history, forecast, now, next } = about;
    if (!history && !forecast) {
      caption.append(element("b", title));
      figure.append(caption, element("p", "No usage was recorded to draw.", "none"));
      return figure;
    }
    const series = [history, forecast].filter(Boolean);
    const most = Math.max(0, now || 0, next || 0, ...series.flatMap((one) => one.v.filter((value) => value !== null)));
    const [scale, unit] = scaleOf(most);
    const step = nice(((most || 1) * scale) / 4) / scale;
    const top = Math.ceil((most || 1) / step - 1e-9) * step;
    const from = Math.min(...series.map((one) => one.s));
    const to = Math.max(from + 60, ...series.map((one) => one.s + one.d * (one === forecast ? one.v.length : one.v.length - 1)));
    const x = (time) => (left + ((time - from) / (to - from)) * (width - left - right)).toFixed(1);
    const y = (value) => (height - lower - (value / top) * (height - lower - upper)).toFixed(1);

    const shown = (value) => `${number(value * scale)} ${unit}`;
    const parts = [];
    if (now !== null) parts.push(["key-now", `request now ${number(now * scale)}`]);
    if (next !== null) parts.push(["key-next", `recommended ${number(next * scale)}`]);
    if (history) parts.push(["key-usage", usage]);
    if (forecast) parts.push(["key-forecast", "forecast of what to request"]);
    const readout = element("i");
    caption.append(element("b", `${title}, ${unit}`), ...parts.map(([key, text]) => element("span", text, key)), readout);

    const description = `${title} over time in ${unit}: ${parts.map((part) => part[1]).join(", ")}`;
    const svg = drawn("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": description });
    valueAxis(svg, top, step, scale, y);
    timeAxis(svg, from, to, (time) => Number(x(time)));
    if (history) {
      svg.append(drawn("path", { class: "area", d: area(history, x, y) }));
      svg.append(drawn("path", { class: "usage", d: lines(history, x, y) }));
    }
    for (const [key, value] of [["now", now], ["next", next]]) {
      if (value !== null) svg.append(drawn("path", { class: key, d: `M${left} ${y(value)}H${width - right}` }));
    }
    if (forecast) svg.append(drawn("path", { class: "forecast", d: stairs(forecast, x, y) }));
    follow(svg, series, { from, to, x, shown, readout });
    figure.append(caption, svg);
    return figure;
  };

  // What the pointer is over, in words.
  const follow = (svg, series, { from, to, x, shown, readout }) => {
    const cursor = drawn("path", { class: "cursor" });
    svg.append(cursor);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const share = (((event.clientX - box.left) / box.width) * width - left) / (width - left - right);
      const time = from + Math.min(1, Math.max(0, share)) * (to - from);
      for (const one of series) {
        const index = Math.floor((time - one.s) / one.d);
        const value = one.v[index];
        if (value === undefined || value === null) continue;
        const at = one.s + index * one.d;
        cursor.setAttribute("d", `M${x(at)} ${upper}V${height - lower}`);
        readout.textContent = `${moment(at)}: ${shown(value)}`;
      }
    });
    svg.addEventListener("pointerleave", () => {
      cursor.removeAttribute("d");
      readout.textContent = "";
    });
  };

  // The address of a row, `#/NAMESPACE/KIND/NAME/CONTAINER`, opens it.
  const followAddress = () => {
    const key = decodeURIComponent(location.hash.slice(1));
    const row = rows.find((row) => row.dataset.key === key);
    if (!row) return;
    if (!isOpen(row)) one(".open", row).click();
    row.scrollIntoView({ block: "nearest" });
  };
  addEventListener("hashchange", followAddress);

  one(".tools").hidden = false;
  filter();
  followAddress();
})();
