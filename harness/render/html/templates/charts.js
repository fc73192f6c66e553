// Charts: what Python describes, drawn by Observable Plot (vendor/), as wide as the page and in its colours.
const charts = (() => {
  const short = (value) => value.toLocaleString("en-US", { maximumSignificantDigits: 3 });
  const scaled = (...steps) => (value) => {
    const [size, unit] = steps.find(([least]) => Math.abs(value) >= least) || steps.at(-1);
    return `${short(value / size)} ${unit}`;
  };
  const WRITE = {
    "": short,
    s: scaled([1, "s"], [0.001, "ms"]),
    bytes: scaled([2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]),
    parameters: scaled([1e9, "B"], [1e6, "M"], [1, ""]),
    usd: (value) => `$${short(value)}`,
  };
  const cut = (text, letters) => (text.length > letters ? `${text.slice(0, letters - 1)}…` : text);
  const written = ([value, low, high], write = short) => write(value) + (low === null && high === null ? ""
    : ` [${low === null ? "?" : write(low)}, ${high === null ? "?" : write(high)}]`);
  const range = (amounts) => {
    const values = amounts.flat().filter((value) => value !== null);
    return [Math.min(...values), Math.max(...values)];
  };
  const roundTicks = (low, high, unit) => {
    const [base, choices] = unit === "bytes" ? [2, [[1]]] : [10, [[1, 2, 5], [1, 3], [1]]];
    const exponents = [];
    for (let e = Math.floor(Math.log(low) / Math.log(base)); base ** e <= high; e += 1) exponents.push(e);
    let ticks = [];
    for (const steps of choices) {
      ticks = exponents.flatMap((e) => steps.map((step) => step * base ** e)).filter((tick) => tick >= low && tick <= high);
      if (ticks.length <= 5) return ticks;
    }
    return ticks.filter((_, place) => place % Math.ceil(ticks.length / 5) === 0);
  };
  // A scale that holds every interval; logarithmic where all is positive and spans more than a factor of three.
  const scale = (axis, amounts, label) => {
    const [low, high] = range(amounts);
    const tickFormat = WRITE[axis.unit];
    if (axis.unit && low > 0 && high > 3 * low) {
      const margin = (high / low) ** 0.08;
      return { type: "log", domain: [low / margin, high * margin], ticks: roundTicks(low / margin, high * margin, axis.unit), tickFormat, label };
    }
    const margin = 0.08 * (high - low || Math.abs(high) || 1);
    return { domain: [low - margin, high + margin], ticks: 4, tickFormat, label };
  };
  const draw = (options) => Plot.plot({ style: { fontSize: "12px", background: "none", fontFamily: "inherit", overflow: "visible" }, ...options });
  const hover = (data, options) => Plot.tip(data, Plot.pointer({ fill: "var(--raised)", stroke: "var(--line)", fontSize: 12, lineHeight: 1.3, ...options }));
  const colour = (mark) => (mark.strong ? "var(--accent)" : "var(--quiet)");
  const FRAME = { stroke: "var(--grid)", strokeOpacity: 1 };

  const dots = (spec, width) => {
    const names = [...new Set(spec.panels.flatMap((panel) => panel.dots.map((dot) => dot.name)))];
    const room = Math.min(0.42 * width, 14 + 6.9 * Math.max(...names.map((name) => name.length)));
    const stacked = spec.panels.length > 1 && width < 480;
    const share = stacked ? width : (width - room) / spec.panels.length;
    return spec.panels.map((panel, place) => {
      const shown = stacked ? names.filter((name) => panel.dots.some((dot) => dot.name === name)) : names;
      const named = place === 0 || stacked;
      const marginLeft = named ? room : 8;
      const ends = [...panel.dots.map((dot) => dot.amount), ...panel.dots.map((dot) => dot.seeds), [panel.line]];
      return draw({
        width: stacked ? width : share + (named ? room - 8 : 0), height: 54 + 23 * shown.length, marginLeft, marginTop: 26, marginBottom: 28, marginRight: 12,
        x: { ...scale({ unit: "" }, ends), ticks: share < 170 ? 2 : 4, axis: null },
        y: { type: "point", domain: shown, axis: null, padding: 0.6 },
        marks: [
          Plot.gridX({ ...FRAME, ticks: share < 170 ? 2 : 4 }),
          Plot.axisX({ ticks: share < 170 ? 2 : 4, tickSize: 0, label: null, color: "var(--muted)" }),
          Plot.text([cut(panel.title, Math.floor(share / 7.2))], { frameAnchor: "top-left", dy: -20, fill: "var(--muted)" }),
          ...(named ? [Plot.text(shown, { y: (name) => name, text: (name) => cut(name, Math.floor((room - 10) / 6.7)), frameAnchor: "left", dx: -8, textAnchor: "end", fill: "var(--ink)" })] : []),
          ...(panel.line === null ? [] : [Plot.ruleX([panel.line], { stroke: "var(--quiet)", strokeDasharray: "2 3" })]),
          Plot.ruleY(panel.dots.filter((dot) => dot.amount[1] !== null && dot.amount[2] !== null), { y: "name", x1: (dot) => dot.amount[1], x2: (dot) => dot.amount[2], stroke: colour, strokeWidth: 2 }),
          Plot.text(panel.dots.flatMap((dot) => dot.seeds.map((x) => ({ x, name: dot.name }))), { x: "x", y: "name", text: () => "|", fill: "var(--ink)" }),
          Plot.dot(panel.dots, { x: (dot) => dot.amount[0], y: "name", fill: colour, r: 4, stroke: "var(--paper)" }),
          hover(panel.dots, { x: (dot) => dot.amount[0], y: "name", title: (dot) => `${dot.name}\n${panel.title}: ${written(dot.amount)}` }),
        ],
      });
    });
  };

  const lines = (spec, width) => {
    const points = spec.lines.flatMap((line) => line.points.map(([x, y, low, high]) => ({ x, y, low, high, name: line.name, dashed: line.dashed })));
    const names = [...new Set(spec.lines.map((line) => line.name))];
    const mark = { x: "x", y: "y", stroke: "name" };
    const [solid, dashed] = [false, true].map((kind) => points.filter((point) => point.dashed === kind));
    return [draw({
      width, height: 300, marginLeft: 44, marginBottom: 40,
      x: { label: spec.x_title, ticks: 5, ...(spec.ticks.length ? { type: "log", ticks: spec.ticks } : {}), tickFormat: short },
      y: { label: spec.title, ticks: 5, nice: true, tickFormat: short },
      color: { type: "ordinal", domain: names, range: names.map((_, place) => `var(--series-${place + 1})`), legend: true, tickFormat: (name) => cut(name, 48) },
      marks: [
        Plot.gridY(FRAME),
        Plot.line(solid, { ...mark, marker: spec.ticks.length ? "dot" : null }),
        Plot.line(dashed, { ...mark, strokeDasharray: "3 2", marker: "dot" }),
        Plot.ruleX(points.filter((point) => point.low !== null && point.high !== null), { x: "x", y1: "low", y2: "high", stroke: "name", strokeOpacity: 0.5 }),
        hover(points, { x: "x", y: "y", title: (point) => `${point.name}${point.dashed ? " (validation)" : ""}\n${spec.x_title} ${short(point.x)}\n${spec.title}: ${written([point.y, point.low, point.high])}` }),
      ],
    })];
  };

  // Move each name to the first side of its point where it hides nothing; leave out what fits nowhere (hovering names it).
  const placeNames = (svg) => {
    const frame = svg.getBoundingClientRect();
    const taken = [...svg.querySelectorAll("[aria-label=dot] circle, [aria-label*=axis] text")].map((mark) => mark.getBoundingClientRect());
    const hits = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    svg.querySelectorAll("[aria-label=text] text").forEach((text) => {
      const base = text.getAttribute("transform");
      const fits = [["start", 9, 0], ["end", -9, 0], ["middle", 0, -13], ["middle", 0, 13], ["start", 7, -12], ["start", 7, 12], ["end", -7, -12], ["end", -7, 12]].some(([anchor, x, y]) => {
        text.setAttribute("text-anchor", anchor);
        text.setAttribute("transform", `${base} translate(${x},${y})`);
        const box = text.getBoundingClientRect();
        const inside = box.left >= frame.left && box.right <= frame.right && box.top >= frame.top && box.bottom <= frame.bottom - 34;
        if (!inside || taken.some((other) => hits(box, other))) return false;
        taken.push(box);
        return true;
      });
      if (!fits) text.remove();
    });
  };
  const frontOf = (points, x, y) => {
    const gain = (axis, value) => (axis.higher_is_better ? value : -value);
    const beats = (a, b) => gain(x, a.x[0]) >= gain(x, b.x[0]) && gain(y, a.y[0]) >= gain(y, b.y[0]) && (a.x[0] !== b.x[0] || a.y[0] !== b.y[0]);
    return points.filter((point) => !points.some((other) => beats(other, point))).sort((a, b) => a.x[0] - b.x[0]);
  };
  const scatter = (spec, width, [y, x]) => {
    const points = spec.points.filter((point) => point.amounts[x.key] && point.amounts[y.key]).map((point) => ({ ...point, x: point.amounts[x.key], y: point.amounts[y.key] }));
    if (!points.length) return [document.createTextNode("Nothing was measured on both axes.")];
    const front = spec.identity ? [] : frontOf(points, x, y);
    const bar = (axis) => points.filter((point) => point[axis][1] !== null && point[axis][2] !== null);
    const options = { stroke: colour, strokeOpacity: 0.45, strokeWidth: 1.5 };
    const all = (axis) => points.map((point) => (spec.identity ? [...point.x, ...point.y] : point[axis]));
    const [low, high] = range(points.map((point) => [...point.x, ...point.y]));
    const named = [...points].sort((a, b) => Number(front.includes(b)) - Number(front.includes(a)) || Number(b.strong) - Number(a.strong));
    const svg = draw({
      width, height: 340, marginLeft: 58, marginBottom: 40, marginTop: 26, marginRight: 16,
      x: scale(x, all("x"), x.title), y: scale(y, all("y"), y.title),
      marks: [
        Plot.gridX({ ...FRAME, ticks: scale(x, all("x")).ticks }), Plot.gridY({ ...FRAME, ticks: scale(y, all("y")).ticks }),
        ...(spec.chance !== null && y === spec.axes[0] && scale(y, all("y")).domain[0] < spec.chance ? [Plot.ruleY([spec.chance], { stroke: "var(--quiet)", strokeDasharray: "2 3" })] : []),
        ...(spec.identity ? [Plot.link([0], { x1: () => low, y1: () => low, x2: () => high, y2: () => high, stroke: "var(--quiet)", strokeDasharray: "4 3" })] : []),
        Plot.line(front, { x: (point) => point.x[0], y: (point) => point.y[0], curve: x.higher_is_better ? "step-before" : "step-after", stroke: "var(--accent)", strokeOpacity: 0.55 }),
        Plot.link(bar("x"), { ...options, x1: (p) => p.x[1], x2: (p) => p.x[2], y1: (p) => p.y[0], y2: (p) => p.y[0] }),
        Plot.link(bar("y"), { ...options, x1: (p) => p.x[0], x2: (p) => p.x[0], y1: (p) => p.y[1], y2: (p) => p.y[2] }),
        Plot.dot(points, { x: (p) => p.x[0], y: (p) => p.y[0], r: 4, stroke: colour, fill: (p) => (front.includes(p) ? colour(p) : "var(--paper)") }),
        Plot.text(named, { x: (p) => p.x[0], y: (p) => p.y[0], text: (p) => cut(p.name, 26), fill: (p) => (front.includes(p) || p.strong ? "var(--ink)" : "var(--muted)"), fontSize: 11 }),
        hover(points, { x: (p) => p.x[0], y: (p) => p.y[0], title: (p) => [p.name, ...[...new Set([y, x])].map((axis) => `${axis.title}: ${written(p.amounts[axis.key], WRITE[axis.unit])}`)].join("\n") }),
      ],
    });
    return [svg];
  };

  const CLEAR = { better: ["triangle", "var(--series-3)"], worse: ["triangle2", "var(--series-2)"] };
  const strips = (spec, width) => spec.strips.map((strip, place) => {
    const last = place === spec.strips.length - 1;
    const marks = strip.marks.map((mark) => ({ ...mark, x: mark.release, y: mark.amount[0] }));
    const every = Math.ceil(spec.releases.length / Math.max(2, Math.floor(width / 90)));
    const ink = (mark) => (mark.clear ? CLEAR[mark.clear][1] : "var(--accent)");
    return draw({
      width, height: (place ? 100 : 146) + (last ? 20 : 0), marginLeft: 52, marginTop: 28, marginBottom: last ? 30 : 10,
      x: { type: "point", domain: spec.releases, ticks: spec.releases.filter((_, index) => index % every === 0), tickFormat: (name) => cut(name, 12), axis: last ? "bottom" : null, label: null },
      y: { ...scale({ unit: "" }, strip.marks.map((mark) => mark.amount), strip.title), ticks: 3 },
      marks: [
        Plot.gridY({ ...FRAME, ticks: 3 }),
        Plot.line(marks, { x: "x", y: "y", stroke: "var(--quiet)" }),
        Plot.ruleX(marks.filter((mark) => mark.amount[1] !== null && mark.amount[2] !== null), { x: "x", y1: (mark) => mark.amount[1], y2: (mark) => mark.amount[2], stroke: ink, strokeWidth: 2, strokeOpacity: 0.6 }),
        Plot.dot(marks, { x: "x", y: "y", fill: ink, r: 4, stroke: "var(--paper)" }),
        Plot.text(marks.filter((mark) => mark.clear), { x: "x", y: (mark) => Math.max(mark.y, mark.amount[2] ?? mark.y), dy: -10, text: (mark) => `${mark.clear === "worse" ? "▼" : "▲"} ${mark.clear}`, fill: ink }),
        hover(marks, { x: "x", y: "y", title: (mark) => `${mark.release}\n${strip.title}: ${written(mark.amount)}${mark.clear ? `\nclearly ${mark.clear}` : ""}` }),
      ],
    });
  });

  const KINDS = { dots, lines, scatter, strips };
  const specs = new Map();
  const render = (drawing) => {
    if (!drawing.checkVisibility()) return; // drawn when what it is folded into opens
    const width = Math.min(drawing.clientWidth, 640);
    if (!width) return;
    if (!specs.has(drawing)) {
      const spec = JSON.parse(drawing.nextElementSibling.textContent);
      const choice = spec.axes && !spec.identity && spec.axes.slice(0, 2);
      specs.set(drawing, { spec, choice: choice || spec.axes, width: 0 });
      if (choice) drawing.before(axisFields(drawing, specs.get(drawing)));
    }
    const state = specs.get(drawing);
    if (state.width === width) return;
    state.width = width;
    drawing.replaceChildren(...KINDS[state.spec.kind](state.spec, width, state.choice));
    if (state.spec.kind === "scatter") drawing.querySelectorAll("svg").forEach(placeNames);
  };
  const axisFields = (drawing, state) => {
    const fields = document.createElement("div");
    fields.className = "axes";
    ["up", "across"].forEach((title, place) => {
      const label = document.createElement("label");
      const select = document.createElement("select");
      select.append(...state.spec.axes.map((axis, index) => new Option(axis.title, index, index === place, index === place)));
      select.addEventListener("change", () => {
        state.choice[place] = state.spec.axes[Number(select.value)];
        state.width = 0;
        render(drawing);
      });
      label.append(`${title} `, select);
      fields.append(label);
    });
    return fields;
  };
  const renderAll = () => document.querySelectorAll(".drawing").forEach(render);
  document.addEventListener("toggle", renderAll, true);
  addEventListener("resize", renderAll);
  renderAll();
  return { render: renderAll };
})();
