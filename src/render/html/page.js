"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const make = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };
  const shape = (tag, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const grouped = (number) => number.toLocaleString("en-US");
  const text = (place) => (place < 0 ? "" : data.texts[place]);
  const OUTCOMES = [["Succeeded", "good", "✓"], ["Failed", "bad", "✕"], ["No end in the log", "open", "…"]];

  const rows = data.rows.map(([number, outcome, time, line, source, side, name, holder, cause, finding, chosen, thread, drawn, other]) => ({
    number, outcome, time, line, source, side, name, holder, cause, finding, chosen, thread, drawn, other,
    place: data.by_line ? line : time,
    words: [OUTCOMES[outcome][0], text(name), text(holder), text(cause), data.titles[text(cause)] ?? "", text(chosen), text(thread), text(source),
      ["client", "server"][side] ?? "", `#${number}`].join("\n").toLowerCase(),
  }));

  // Times are those of the log's own clock: a zone of this browser must not move them.
  const clock = (time) => new Date(time).toISOString();
  const begun = (row) => (row.time === null ? "" : `${clock(row.time).slice(0, 10)} ${clock(row.time).slice(11, 23)}`);
  const placed = rows.map((row) => row.place).filter((place) => place !== null);
  const first = placed.reduce((a, b) => Math.min(a, b), Infinity);
  const last = placed.reduce((a, b) => Math.max(a, b), -Infinity);
  const span = Math.max(1, last - first);
  const oneDay = !data.by_line && placed.length > 0 && clock(first).slice(0, 10) === clock(last).slice(0, 10);
  const label = (place) => {
    if (data.by_line) return `line ${grouped(Math.round(place))}`;
    const time = clock(Math.round(place));
    const day = oneDay ? "" : `${time.slice(0, 10)} `;
    return day + (span < 120000 ? time.slice(11, 23) : time.slice(11, 19));
  };

  const FACETS = [
    { name: "Outcome", value: (row) => row.outcome, label: (value) => OUTCOMES[value][0], outcome: true },
    { name: "Cause", value: (row) => row.cause, label: (value) => (value < 0 ? "none" : text(value)) },
    { name: "Server name", value: (row) => row.name, label: (value) => (value < 0 ? "not sent" : text(value)) },
    { name: "Host in the other end’s certificate", value: (row) => row.holder, label: (value) => (value < 0 ? "none seen" : text(value)) },
    { name: "Log", value: (row) => row.source, label: (value) => text(value) },
    { name: "Seen as", value: (row) => row.side, label: (value) => ["client", "server"][value] ?? "unknown" },
  ].map((facet) => ({ ...facet, chosen: new Set(), choices: new Map() }));
  const state = { words: [], from: 0, to: 1000, page: 0, descending: false };
  const PAGE = 50;
  // So many rows are seen at a glance.
  const FEW = 5;

  // A row passes a filter, the search or the time line by its bit; it is shown when it passes all.
  const TEXT = 1 << FACETS.length;
  const TIME = TEXT << 1;
  const ALL = (TIME << 1) - 1;
  const passes = (row) => {
    let bits = 0;
    FACETS.forEach((facet, index) => {
      if (facet.chosen.size === 0 || facet.chosen.has(facet.value(row))) bits |= 1 << index;
    });
    if (state.words.every((word) => row.words.includes(word))) bits |= TEXT;
    if (whole() || (row.place !== null && row.place >= edge(state.from) && row.place <= edge(state.to))) bits |= TIME;
    return bits;
  };
  const whole = () => state.from <= 0 && state.to >= 1000;
  const edge = (part) => first + (span * part) / 1000;

  let shown = [];
  const apply = () => {
    const counts = FACETS.map(() => new Map());
    const timed = [];
    shown = [];
    for (const row of rows) {
      const bits = passes(row);
      if (bits === ALL) shown.push(row);
      if ((bits | TIME) === ALL) timed.push(row);
      FACETS.forEach((facet, index) => {
        // What a choice of this filter would show, the others being what they are.
        if ((bits | (1 << index)) === ALL) counts[index].set(facet.value(row), (counts[index].get(facet.value(row)) ?? 0) + 1);
      });
    }
    const key = (row) => row.place ?? Infinity;
    shown.sort((a, b) => (key(a) === key(b) ? a.number - b.number : key(a) - key(b)));
    if (state.descending) shown.reverse();
    state.page = 0;
    FACETS.forEach((facet, index) => {
      for (const [value, choice] of facet.choices) {
        const count = counts[index].get(value) ?? 0;
        choice.count.textContent = grouped(count);
        choice.label.classList.toggle("none", count === 0);
        choice.box.checked = facet.chosen.has(value);
      }
    });
    chart(timed);
    table();
    status();
  };

  const filtered = () => state.words.length > 0 || !whole() || FACETS.some((facet) => facet.chosen.size > 0);
  const status = () => {
    const line = at("shown");
    const of = shown.length === rows.length ? "" : ` of ${grouped(rows.length)}`;
    line.replaceChildren(make("span", { textContent: `${grouped(shown.length)}${of} handshake${rows.length === 1 ? "" : "s"}` }));
    if (filtered()) {
      line.append(make("button", { type: "button", id: "reset", textContent: "Show all", onclick: () => reset() }));
    }
  };
  const reset = () => {
    FACETS.forEach((facet) => facet.chosen.clear());
    Object.assign(state, { from: 0, to: 1000 });
    at("search").value = "";
    search();
    at("search").focus();
  };

  const sources = new Set(rows.map((row) => row.source)).size;
  const place = (row) => {
    const line = row.line ? `line ${row.line}` : "";
    return sources < 2 ? line : `${text(row.source)} ${line}`;
  };
  const table = () => {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    const from = state.page * PAGE;
    const part = shown.slice(from, from + PAGE);
    at("rows").tBodies[0].replaceChildren(...part.map((row) => {
      const [word, style, sign] = OUTCOMES[row.outcome];
      const number = row.drawn
        ? make("a", { href: `#handshake-${row.drawn}`, textContent: row.number, title: "Draw this handshake" })
        : String(row.number);
      const outcome = make("span", { className: style }, `${sign} `, word);
      const cause = row.cause < 0 ? text(row.chosen)
        : row.finding ? make("a", { href: `#finding-${row.finding}`, textContent: text(row.cause) }) : text(row.cause);
      const host = text(row.name) || (row.holder < 0 ? "" : text(row.holder));
      return make("tr", {}, ...[number, begun(row), outcome, host, cause, text(row.thread), place(row)]
        .map((cell) => make("td", {}, cell)));
    }));
    at("page").textContent = shown.length === 0 ? "No handshake passes the filters."
      : `${grouped(from + 1)} – ${grouped(from + part.length)} of ${grouped(shown.length)}`;
    at("previous").disabled = state.page === 0;
    at("next").disabled = state.page + 1 >= pages;
    at("pages").hidden = shown.length > 0 && pages === 1;
  };

  const BINS = 96;
  const HEIGHT = 96;
  const chart = (timed) => {
    const figure = at("timeline");
    if (rows.length < FEW || placed.length < 2 || first === last) {
      figure.hidden = true;
      return;
    }
    const svg = at("chart");
    const width = svg.clientWidth || 800;
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT + 24}`);
    const bins = Array.from({ length: BINS }, () => [0, 0, 0]);
    for (const row of timed) {
      if (row.place !== null) bins[Math.min(BINS - 1, Math.floor(((row.place - first) / span) * BINS))][row.outcome] += 1;
    }
    const most = Math.max(1, ...bins.map((bin) => bin[0] + bin[1] + bin[2]));
    const step = width / BINS;
    const marks = [];
    bins.forEach((bin, index) => {
      const inside = ((index + 1) / BINS) * 1000 > state.from && (index / BINS) * 1000 < state.to;
      let top = HEIGHT;
      // What failed stands at the foot, where it is seen however rare it is.
      for (const outcome of [1, 2, 0]) {
        if (bin[outcome] === 0) continue;
        const height = Math.max(3, (bin[outcome] / most) * (HEIGHT - 8));
        top -= height;
        marks.push(shape("rect", { class: OUTCOMES[outcome][1] + (inside ? "" : " rest"), x: index * step + 0.5, y: top, width: Math.max(1, step - 1), height }));
      }
    });
    marks.push(shape("line", { class: "axis", x1: 0, x2: width, y1: HEIGHT + 0.5, y2: HEIGHT + 0.5 }));
    if (!whole()) {
      marks.push(shape("rect", { class: "brush", x: (state.from / 1000) * width, y: 0, width: ((state.to - state.from) / 1000) * width, height: HEIGHT }));
    }
    for (const [part, anchor] of width < 560 ? [[0, "start"], [1000, "end"]] : [[0, "start"], [500, "middle"], [1000, "end"]]) {
      const tick = shape("text", { x: (part / 1000) * width, y: HEIGHT + 17, "text-anchor": anchor });
      tick.textContent = label(edge(part));
      marks.push(tick);
    }
    svg.replaceChildren(...marks);
    const zone = data.by_line ? "" : ` ${data.zone}`;
    at("window").textContent = `${label(edge(state.from))} – ${label(edge(state.to))}${zone}`;
    at("from").value = state.from;
    at("to").value = state.to;
    for (const id of ["from", "to"]) at(id).setAttribute("aria-valuetext", label(edge(state[id])));
    at("whole").hidden = whole();
  };

  const brush = () => {
    const svg = at("chart");
    let start = null;
    const part = (event) => {
      const box = svg.getBoundingClientRect();
      return Math.min(1000, Math.max(0, ((event.clientX - box.left) / box.width) * 1000));
    };
    svg.addEventListener("pointerdown", (event) => {
      start = part(event);
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      if (start === null) return;
      const end = part(event);
      if (Math.abs(end - start) < 5) return;
      Object.assign(state, { from: Math.min(start, end), to: Math.max(start, end) });
      apply();
    });
    svg.addEventListener("pointerup", () => { start = null; });
    svg.addEventListener("pointercancel", () => { start = null; });
    at("from").addEventListener("input", (event) => {
      state.from = Math.min(Number(event.target.value), state.to - 1);
      apply();
    });
    at("to").addEventListener("input", (event) => {
      state.to = Math.max(Number(event.target.value), state.from + 1);
      apply();
    });
    at("whole").addEventListener("click", () => {
      Object.assign(state, { from: 0, to: 1000 });
      apply();
      at("from").focus();
    });
  };

  const filters = () => {
    for (const facet of FACETS) {
      const totals = new Map();
      for (const row of rows) totals.set(facet.value(row), (totals.get(facet.value(row)) ?? 0) + 1);
      if (totals.size < 2 || rows.length < FEW) continue;
      const choices = make("div", { className: "choices" });
      for (const [value] of [...totals].sort((a, b) => b[1] - a[1])) {
        const box = make("input", { type: "checkbox" });
        box.addEventListener("change", () => {
          if (box.checked) facet.chosen.add(value);
          else facet.chosen.delete(value);
          apply();
        });
        const count = make("span", { className: "count" });
        const name = make("span");
        if (facet.outcome) {
          const sign = make("span", { className: `sign ${OUTCOMES[value][1]}`, textContent: OUTCOMES[value][2] });
          sign.setAttribute("aria-hidden", "true");
          name.append(sign);
        }
        name.append(facet.label(value));
        const line = make("label", {}, box, name, count);
        facet.choices.set(value, { label: line, box, count });
        choices.append(line);
      }
      at("filters").append(make("fieldset", {}, make("legend", { textContent: facet.name }), choices));
    }
    at("filters").hidden = at("filters").childElementCount === 0;
  };

  const articles = [...document.querySelectorAll(".finding, .handshake")];
  const contents = [...document.querySelectorAll(".contents li")];
  const articleWords = new Map();
  const wordsOf = (article) => {
    if (!articleWords.has(article)) articleWords.set(article, article.textContent.toLowerCase());
    return articleWords.get(article);
  };
  const search = () => {
    state.words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = (node) => state.words.every((word) => wordsOf(node).includes(word));
    let findings = 0;
    for (const article of articles) {
      article.hidden = !found(article);
      if (!article.hidden && article.matches(".finding")) findings += 1;
    }
    contents.forEach((item, index) => { item.hidden = at(`finding-${index + 1}`)?.hidden ?? false; });
    if (rows.length > 0) apply();
    const parts = [`${grouped(findings)} finding${findings === 1 ? "" : "s"}`, `${grouped(shown.length)} handshake${shown.length === 1 ? "" : "s"}`];
    at("found").textContent = state.words.length === 0 ? "" : parts.join(", ");
  };

  // A link to what is folded or filtered away opens it.
  const reveal = () => {
    const target = location.hash.length > 1 ? at(decodeURIComponent(location.hash.slice(1))) : null;
    if (!target) return;
    const article = target.closest(".finding, .handshake") ?? target;
    if (article.hidden) {
      at("search").value = "";
      search();
    }
    for (let node = target; node; node = node.parentElement) if (node.matches("details")) node.open = true;
    target.scrollIntoView();
    (target.matches("details") ? target.querySelector("summary") : target).focus({ preventScroll: true });
  };

  document.querySelector("search").hidden = false;
  let waiting = 0;
  at("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, rows.length > 2000 ? 120 : 0);
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input[type=search], textarea, select");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      at("search").focus();
      at("search").select();
    } else if (event.key === "Escape" && event.target === at("search") && at("search").value !== "") {
      at("search").value = "";
      search();
    }
  });
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) reveal();
  });

  if (rows.length > 0) {
    at("board").hidden = false;
    filters();
    brush();
    const turn = (by) => {
      state.page += by;
      table();
      at("rows").scrollIntoView({ block: "nearest" });
    };
    at("previous").addEventListener("click", () => turn(-1));
    at("next").addEventListener("click", () => turn(1));
    at("order").addEventListener("click", () => {
      state.descending = !state.descending;
      at("order").closest("th").setAttribute("aria-sort", state.descending ? "descending" : "ascending");
      apply();
    });
    apply();
    new ResizeObserver(() => requestAnimationFrame(() => chart(rows.filter((row) => (passes(row) | TIME) === ALL)))).observe(at("chart"));
  }

  // On paper nothing can be unfolded: the proofs are printed, and put back as they were.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll(".proof:not([open])")];
    for (const proof of folded) proof.open = true;
  });
  addEventListener("afterprint", () => {
    for (const proof of folded) proof.open = false;
  });
  reveal();
})();
