// The page's half of the live view: draws the frame that the kernel sends, and reports what a person does.
// Numbers move through native sliders and fields (names for screen readers, keyboard); uPlot, which stands before this
// in the module, draws the charts.

const POSITIONS = 200; // of a slider: an arrow key is half a percent of the range, Page Up a tenth
const WAITS = "waits for the training cell";
const FAULT_MS = 8000; // how long a fault of the hand is shown
const SPEEDS = [1, 5, 25, 100]; // steps per second that a person can follow
const OWN_KEYS = { "data-lm-suppress-shortcuts": "true" }; // JupyterLab would take the arrow keys to go from cell to cell

/** Make an element: `make("button", {class: "x", onclick: f}, "text", child, …)`. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A few significant digits, without a tail of zeros. */
function short(value, digits = 4) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3
    ? value.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e")
    : String(Number(value.toPrecision(digits)));
}

function floats(view) {
  return view ? new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)) : [];
}

function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

function duration(seconds) {
  if (seconds >= 172800) return `${Math.round(seconds / 86400)} days`;
  if (seconds >= 7200) return `${Math.round(seconds / 3600)} h`;
  return seconds >= 120 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds)} s`;
}

// ---- sliders -----------------------------------------------------------------------------------------------

/** Positions of a slider, and the values there. */
function scale({ low, high, log, integer }) {
  if (integer && high - low <= 1000) return { last: high - low, at: (i) => low + i, of: (v) => v - low };
  const ratio = log ? Math.log(high / low) : high - low;
  const tidy = (v) => (integer ? Math.round(v) : Number(v.toPrecision(log ? 3 : 6)));
  return {
    last: POSITIONS,
    at: (i) => (i === 0 ? low : i === POSITIONS ? high : tidy(log ? low * Math.exp((ratio * i) / POSITIONS) : low + (ratio * i) / POSITIONS)),
    of: (v) => ((log ? Math.log(Math.max(v, low) / low) : v - low) / ratio) * POSITIONS,
  };
}

/** One number: name, slider, field, path so far, who drives it, hold or release. */
function numberRow(number, send, explain) {
  const { name, unit, doc, allowed, integer } = number;
  const { last, at, of } = scale(number);
  const meaning = [doc, allowed && `allowed: ${allowed}`, unit && `unit: ${unit}`].filter(Boolean).join(" · ");
  const docId = `gannb-${Math.random().toString(36).slice(2)}`;
  let now = { value: NaN, held: false, driver: "" };
  let requested = null; // what the person requested and the run has not answered yet
  let dragging = false;
  let editing = false; // in the field: what a person selects there must not change before it is typed over
  let typed = false; // and is not committed yet
  let running = false;
  let lasting = ""; // a refusal that is still shown beside the number
  let passed = ""; // one that a newer message has replaced

  const common = { ...OWN_KEYS, title: meaning, "aria-describedby": docId };
  const slider = make("input", { ...common, type: "range", min: 0, max: last, step: 1, "aria-label": name });
  const field = make("input", { ...common, type: "text", inputmode: integer ? "numeric" : "decimal", "aria-label": `${name}, value`, autocomplete: "off", spellcheck: "false" });
  const driver = make("span", { class: "gannb-driver" });
  const hold = make("button", { type: "button", class: "gannb-hold" });
  const message = make("span", { class: "gannb-message", role: "status" });
  const row = make("div", { class: "gannb-number" },
    make("span", { class: "gannb-name", title: meaning }, name, unit ? make("small", {}, ` ${unit}`) : "", driver),
    slider, field, hold, message,
    make("span", { id: docId, hidden: true }, meaning));

  const show = (value) => {
    slider.value = Math.round(of(value));
    slider.setAttribute("aria-valuetext", short(value));
    slider.style.setProperty("--filled", `${(100 * slider.value) / (last || 1)}%`);
    if (document.activeElement !== field || !editing) field.value = now.held ? value : short(value);
  };
  const clear = (text = "") => {
    setText(message, text);
    row.classList.remove("gannb-refused");
  };
  const move = (value) => {
    requested = value;
    show(value);
    clear(running ? "" : WAITS);
    row.classList.add("gannb-pending");
    send({ do: "move", name, value });
  };
  const commit = () => {
    editing = false;
    if (!typed) return show(requested ?? now.value);
    typed = false;
    const value = Number(field.value.trim().replace(",", "."));
    if (field.value.trim() === "" || !Number.isFinite(value)) {
      const fault = `“${field.value.trim()}” is not a number`;
      setText(message, fault);
      passed = lasting;
      row.classList.add("gannb-refused");
      show(now.value);
      setTimeout(() => message.textContent === fault && clear(), FAULT_MS);
    } else if (value !== now.value) move(value);
  };

  slider.addEventListener("pointerdown", () => {
    dragging = true;
    const drop = () => setTimeout(() => (dragging = false)); // after "change", which a press that moves nothing lacks
    for (const ends of ["pointerup", "pointercancel"]) window.addEventListener(ends, drop, { once: true, capture: true });
  });
  slider.addEventListener("input", () => {
    const value = at(Number(slider.value));
    slider.setAttribute("aria-valuetext", short(value));
    slider.style.setProperty("--filled", `${(100 * slider.value) / (last || 1)}%`);
    field.value = short(value);
  });
  slider.addEventListener("change", () => {
    dragging = false;
    move(at(Number(slider.value)));
  });
  for (const begins of ["focus", "pointerdown", "keydown"]) field.addEventListener(begins, () => (editing = true));
  field.addEventListener("input", () => (editing = typed = true));
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") commit();
    if (event.key === "Escape") {
      editing = typed = false;
      show(requested ?? now.value);
    }
  });
  field.addEventListener("blur", commit);
  hold.addEventListener("click", () => {
    if (!running) setText(message, WAITS);
    send({ do: now.held ? "release" : "hold", name });
  });
  row.addEventListener("focusin", () => explain(name, meaning));
  row.addEventListener("pointerenter", () => explain(name, meaning));

  const update = (current, frame) => {
    now = current;
    running = frame.running;
    lasting = frame.refused[name] ?? "";
    if (lasting !== passed) passed = "";
    const refused = lasting !== passed && lasting;
    if (requested !== null && (refused || now.value === requested || (integer && now.value === Math.round(requested)))) requested = null;
    row.classList.toggle("gannb-pending", requested !== null);
    row.classList.toggle("gannb-held", now.held);
    if (!dragging) show(requested ?? now.value);
    setText(driver, now.held ? "held" : now.driver === "constant" ? "" : now.driver);
    setText(hold, now.held ? "Release" : "Hold");
    hold.setAttribute("aria-label", `${now.held ? "Release" : "Hold"} ${name}`);
    hold.setAttribute("aria-pressed", String(now.held));
    if (refused) {
      row.classList.add("gannb-refused");
      setText(message, refused);
    } else if (requested !== null) {
      setText(message, running ? "" : WAITS);
    } else if (message.textContent.startsWith("refused") || message.textContent.startsWith("waits")) {
      clear();
    }
  };
  return { row, update };
}

// ---- charts ------------------------------------------------------------------------------------------------

const ROUNDING = 1e-6; // of values of order 1 in single precision, as in figures/template.py
const MARKS = { move: "--said", rollback: "--warn", alarm: "--bad", resume: "--good" };

/** A positive number rounded down or up to one digit. */
function oneDigit(value, round) {
  const power = 10 ** Math.floor(Math.log10(value));
  return Number((round(value / power) * power).toPrecision(1));
}

/** The range of a y axis: never so narrow that noise fills it. */
function yRange(low, high, log, bounded) {
  if (!(low <= high)) return [0, 1];
  if (bounded) return [0, 1];
  if (log) return [oneDigit(low, Math.floor), oneDigit(high, Math.ceil)]; // where the ticks are
  const middle = (low + high) / 2;
  const size = Math.max(Math.abs(low), Math.abs(high));
  const half = size < ROUNDING ? 1 : Math.max(0.55 * (high - low), 0.1 * size);
  return [low >= 0 ? Math.max(0, middle - half) : middle - half, middle + half];
}

/** Whether a y axis is logarithmic. */
function spansDecades(low, high) {
  return low > 0 && high > ROUNDING && high / low > 100;
}

/** The nearest mark within a few pixels of a position. */
function markAt(plot, marks, left) {
  const far = (mark) => Math.abs(plot.valToPos(mark.step, "x") - left);
  return marks.filter((mark) => far(mark) < 6).sort((a, b) => far(a) - far(b))[0];
}

/**
 * One chart, drawn by uPlot: lines over steps, or over `xTitle`; values at the pointer, which all charts share.
 * `view` is what the charts have in common: colours, marks, the zoom, and what is done when they change.
 */
function chart(title, says, view, { xTitle = "step", bounded = false, share } = {}) {
  const legend = make("div", { class: "gannb-legend" });
  const box = make("div", { class: "gannb-plot" });
  const element = make("figure", { class: `gannb-chart${share ? " gannb-first" : ""}`, role: "img" },
    make("figcaption", { title: says }, make("b", {}, title), " ", make("small", {}, says)), legend, box);
  const overSteps = xTitle === "step";
  const colour = (name) => () => getComputedStyle(element).getPropertyValue(name).trim();
  let plot = null, shape = "", kept = [], end = 1, low = 0, high = 1, log = false, unit = false;

  const drawMarks = (u) => {
    if (!overSteps) return;
    const { ctx, bbox } = u;
    ctx.save();
    ctx.lineWidth = devicePixelRatio;
    for (const { kind, step } of view.marks) {
      const x = Math.round(u.valToPos(step, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = colour(MARKS[kind])();
      ctx.setLineDash(kind === "move" ? [3 * devicePixelRatio, 3 * devicePixelRatio] : []);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  };
  const create = (lines) => {
    plot?.destroy();
    legend.replaceChildren();
    const axis = { stroke: colour("--faint"), font: "11px system-ui, sans-serif", grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false } };
    const series = lines.map(({ name }, i) => ({
      label: name, stroke: view.colours[i % view.colours.length], width: 1.5, spanGaps: true, points: { show: kept[0].length < 2 || undefined, size: 5 },
      paths: share ? uPlot.paths.stepped({ align: 1 }) : undefined,
      value: (u, value, s, index) => (index == null ? kept[s].last : kept[s].values[index] == null ? "" : short(kept[s].values[index])),
    }));
    plot = new uPlot({
      width: box.clientWidth || 260, height: box.clientHeight || 120, padding: [6, 14, 0, 0],
      scales: {
        x: { time: false, range: (u, least, most) => (overSteps ? view.zoom ?? [0, end] : [least, most]) },
        y: { distr: log ? 3 : 1, range: (u, least, most) => (unit || share ? [0, 1] : yRange(least ?? low, most ?? high, log)) },
      },
      axes: [
        { ...axis, size: overSteps ? 22 : 36, label: overSteps ? undefined : xTitle, labelSize: 14, labelFont: axis.font, gap: 4, values: (u, ticks) => ticks.map((t) => (t === ticks[0] && overSteps ? "step" : short(t))) },
        { ...axis, size: 46, gap: 3, space: 24, values: (u, ticks) => ticks.map((t) => (t == null ? "" : share ? `${Math.round(100 * t)} %` : short(t, 3))) },
      ],
      series: [{ label: xTitle, value: (u, value) => (value == null ? "" : short(value)) }, ...series],
      cursor: { sync: overSteps ? { key: view.key, setSeries: false } : undefined, drag: { x: overSteps, y: false, setScale: false }, points: { size: 5 } },
      legend: { mount: (u, table) => legend.append(table) },
      hooks: {
        draw: [drawMarks],
        setSelect: [(u) => {
          if (u.select.width < 4) return;
          view.zoomTo([u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")]);
          u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        }],
        setCursor: [(u) => overSteps && u.cursor.event && view.point(u.cursor.left < 0 ? null : markAt(u, view.marks, u.cursor.left))],
      },
    }, [[], ...lines.map(() => [])], box);
    plot.over.addEventListener("dblclick", () => view.zoomTo(null));
  };
  new ResizeObserver(() => plot && box.clientWidth && plot.setSize({ width: box.clientWidth, height: box.clientHeight })).observe(box);

  const draw = (lines, step) => {
    end = Math.max(step, 1);
    const tables = lines.map((line) => [Array.from(floats(line.x)), Array.from(floats(line.y), (v) => (Number.isFinite(v) ? v : null))]);
    const [x = [], ...values] = tables.length ? uPlot.join(tables) : [];
    const finite = values.flat().filter((v) => v != null);
    [low, high] = [Math.min(...finite), Math.max(...finite)];
    const logarithmic = !bounded && !share && spansDecades(low, high);
    unit = bounded && low >= 0 && high <= 1;
    kept = [x, ...values].map((all, i) => (i ? { values: all, last: lines[i - 1].last } : all));
    const now = [logarithmic, x.length < 2, ...lines.map((line) => line.name)].join();
    if (now !== shape) {
      shape = now;
      log = logarithmic;
      create(lines);
    }
    plot.setData([x, ...values.map((all, i) => (share ? all.map((v) => (v == null ? v : share(lines[i].name, v))) : all))]);
    plot.setLegend();
    element.setAttribute("aria-label", `${title}: ${lines.map((line) => `${line.name} ${line.last}`).join(", ")}`);
  };
  const redraw = () => plot?.setData(plot.data);
  const remove = () => {
    plot?.destroy();
    element.remove();
  };
  return { element, draw, redraw, remove };
}

/** All charts of a run: marks, zoom and pointer are one for all. */
function chartPanel(model) {
  const key = Object.entries(MARKS).map(([kind, colour]) => make("span", { style: `color:var(${colour})` }, `${kind === "move" ? "┆" : "│"} ${kind} `));
  const help = make("p", { class: "gannb-help" }, ...key, "· drag over a chart to zoom, double-click to zoom out");
  const usual = [...help.childNodes];
  const element = make("section", { class: "gannb-charts", "aria-label": "Curves" });
  const charts = new Map();
  const view = { // what all charts have in common
    key: `gannb-${Math.random()}`, colours: model.get("colours"), marks: [], zoom: null,
    zoomTo: (range) => {
      view.zoom = range;
      for (const one of charts.values()) one.redraw();
    },
    point: (mark) => help.replaceChildren(...(mark ? [`step ${mark.step}: ${mark.text}`] : usual)),
  };
  const scales = new Map(model.get("numbers").map((number) => [number.name, scale(number)]));
  const share = (name, value) => Math.min(1, Math.max(0, scales.get(name).of(value) / (scales.get(name).last || 1)));
  const show = (title, explained, options, lines, step) => {
    if (!charts.has(title)) {
      charts.set(title, chart(title, explained, view, options));
      element.append(charts.get(title).element);
    }
    charts.get(title).draw(lines, step);
  };
  const update = (frame) => {
    view.marks = frame.marks;
    const paths = frame.paths.filter(({ name }) => scales.has(name)).map((path) => upToNow(path, frame));
    if (paths.length) show("numbers", "moved so far, share of the slider", { share }, paths, frame.step);
    for (const { title, says: explained, bounded, lines } of frame.charts) show(title, explained, { bounded }, lines, frame.step);
    for (const [title, one] of charts) {
      if (title === "numbers" || frame.charts.some((sent) => sent.title === title)) continue;
      one.remove(); // it gave way to another, and would stand still
      charts.delete(title);
    }
  };
  const upToNow = (path, { step }) => {
    const x = floats(path.x), y = floats(path.y);
    return { ...path, x: Float32Array.of(...x, Math.max(step, x[x.length - 1])), y: Float32Array.of(...y, y[y.length - 1]) };
  };
  return { element, help, update, view };
}

// ---- the whole ---------------------------------------------------------------------------------------------

/** Groups of numbers, in the order of the declaration. */
function numberPanel(numbers, send) {
  const help = make("p", { class: "gannb-help" }, "Move a slider to hold a number; Release returns it to its driver.");
  const explain = (name, meaning) => help.replaceChildren(make("code", {}, name), ` ${meaning}`);
  const rows = numbers.map((number) => numberRow(number, send, explain));
  const groups = new Map();
  numbers.forEach((number, i) => {
    if (!groups.has(number.group)) groups.set(number.group, make("fieldset", {}, make("legend", {}, number.group || "numbers")));
    groups.get(number.group).append(rows[i].row);
  });
  const columns = make("div", { class: "gannb-columns" }, ...groups.values());
  const element = make("section", { "aria-label": "Numbers" }, make("div", { class: "gannb-numbers" }, columns), help);
  return { element, update: (frame) => rows.forEach((row, i) => row.update(frame.numbers[i], frame)) };
}

/** What the run is doing, and the buttons for it. */
function bar(send) {
  const state = make("strong", { class: "gannb-state", role: "status" });
  const where = make("span", { class: "gannb-where" });
  const progress = make("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const button = (label, title, act) => make("button", { type: "button", title, onclick: act }, label);
  let main = "pause", running = false;
  const ask = (what) => {
    send(what);
    if (!running) setText(where, `${what.do} ${WAITS}`);
  };
  const go = button("Pause", "", () => send({ do: main }));
  const step = button("Step", "Take a single step, while paused", () => send({ do: "step" }));
  const stop = button("Stop", "End training after this step; the cells below go on", () => send({ do: "stop" }));
  const speed = make("select", { ...OWN_KEYS, "aria-label": "Speed", title: "Slow motion: the same steps with time between them", onchange: () => send({ do: "limit", value: Number(speed.value) }) });
  const name = make("input", { ...OWN_KEYS, type: "text", "aria-label": "Name of the checkpoint", placeholder: "name", maxlength: 80, spellcheck: "false", title: "Letters, digits, spaces and -._; empty: kept-STEP" });
  const save = button("Checkpoint", "Write a checkpoint at the next step; it stays until you delete it", () => {
    ask({ do: "checkpoint", name: name.value.trim() });
    name.value = "";
  });
  const which = make("select", { ...OWN_KEYS, "aria-label": "Checkpoint to roll back to" });
  const back = button("Roll back", "Restore the weights of this checkpoint; the step count goes on", () => ask({ do: "rollback", name: which.value }));
  const remove = make("button", { type: "button", class: "gannb-delete", onblur: () => confirmed(""), onclick: () => {
    if (asked !== which.value) return confirmed(which.value);
    send({ do: "delete", name: asked });
    confirmed("");
  } });
  which.addEventListener("change", () => confirmed(""));
  let asked = "", own = []; // the checkpoint whose deletion waits for a second press, and those that may be deleted
  const confirmed = (name) => {
    asked = name;
    setText(remove, asked ? "Sure?" : "Delete");
    remove.setAttribute("aria-label", asked ? `Delete ${asked} for good` : "Delete checkpoint");
    remove.title = asked ? `Press again to delete “${asked}” for good` : "Delete the chosen checkpoint, if it has a name of yours; press twice";
    remove.disabled = !own.includes(which.value);
  };
  const element = make("header", {},
    make("span", { class: "gannb-dot", "aria-hidden": "true" }), state, where, progress,
    make("span", { class: "gannb-buttons" }, go, step, stop, speed,
      make("span", { class: "gannb-joined" }, name, save), make("span", { class: "gannb-joined" }, which, back, remove)));

  const MAIN = {
    ready: ["start", "Start", "Begin to train; the cells below wait until it ends"],
    training: ["pause", "Pause", "Wait at the next step"],
    paused: ["resume", "Resume", "Go on training"],
    interrupted: ["resume", "Resume", "Go on training from the checkpoint of the interrupt"],
    stopped: ["resume", "Resume", "Go on training up to the end"],
  };
  let offered = "", limits = "";
  const update = (frame) => {
    const { answered, notice, limit } = frame;
    running = frame.running;
    const deaf = running && notice && !answered; // clicks do not arrive before the cell ends
    const startable = running || frame.state !== "ready"; // before `fit` there is nothing to start
    let label, title;
    [main, label, title] = MAIN[frame.state] ?? ["resume", "Resume", "It is done"];
    setText(state, frame.state);
    element.dataset.state = frame.state;
    const left = running && frame.left != null && frame.state === "training" ? `, about ${duration(frame.left)} left` : "";
    const speedNow = frame.rate ? ` · ${short(frame.rate, 3)} steps/s` : "";
    setText(where, `step ${frame.step}${frame.target ? ` of ${frame.target}` : ""} · epoch ${frame.epoch} · ${clock(frame.seconds)} trained${left}${speedNow}`);
    progress.value = frame.target ? frame.step / frame.target : 0;
    setText(go, label);
    go.title = title;
    go.classList.toggle("gannb-main", main !== "pause");
    go.disabled = deaf || !startable || !(frame.state in MAIN);
    stop.disabled = deaf || !running;
    step.disabled = deaf || !running || frame.state !== "paused";
    const now = Math.round(10 * limit) / 10;
    if (limits !== String(now)) {
      limits = String(now);
      const all = [...new Set([...SPEEDS, ...(now ? [now] : [])])].sort((a, b) => a - b);
      speed.replaceChildren(make("option", { value: 0, selected: !now }, "full speed"),
        ...all.map((value) => make("option", { value, selected: value === now }, `${value} steps/s`)));
    }
    if (offered !== JSON.stringify(frame.checkpoints)) {
      offered = JSON.stringify(frame.checkpoints);
      const chosen = which.value;
      which.replaceChildren(...frame.checkpoints.map(([value, text]) => make("option", { value, selected: value === chosen }, text)));
    }
    back.disabled = which.disabled = !frame.checkpoints.length;
    own = frame.checkpoints.filter(([, , named]) => named).map(([value]) => value);
    confirmed(own.includes(asked) && asked === which.value ? asked : "");
  };
  return { element, update };
}

/** Alarms, refusals and a person's actions, newest first. */
function runLog() {
  const list = make("ol", { ...OWN_KEYS, tabindex: 0, "aria-label": "Alarms and actions" });
  const loud = make("div", { class: "gannb-unseen", "aria-live": "polite" });
  const element = make("section", { class: "gannb-messages" }, list, loud);
  let shown = "";
  const update = ({ messages }) => {
    const key = JSON.stringify(messages);
    if (key === shown) return;
    shown = key;
    const newest = messages[messages.length - 1];
    if (newest && newest.kind !== "note") setText(loud, newest.text);
    list.replaceChildren(...messages.toReversed().map(({ kind, step, text }) =>
      make("li", { class: `gannb-${kind}` }, make("span", {}, String(step)), make("div", {}, kind === "alarm" ? make("b", {}, "alarm · ") : "", text))));
    if (!messages.length) list.append(make("li", { class: "gannb-empty" }, "no alarms, no manual changes"));
  };
  return { element, update };
}

/** The newest samples, with their own step: an image, a page such as a moving skeleton, or lines over an axis of their own. */
function picture(model) {
  const when = make("small", {});
  const what = make("b", {}, "newest samples");
  const body = make("div", { class: "gannb-shown" });
  const element = make("figure", { class: "gannb-samples", hidden: true }, make("figcaption", {}, what, " ", when), body);
  const image = make("img", {});
  let url = "", lines = null;
  const draw = () => {
    const shown = model.get("picture");
    element.hidden = !shown.label;
    if (element.hidden) return;
    setText(when, shown.label);
    if (shown.image) {
      URL.revokeObjectURL(url);
      url = URL.createObjectURL(new Blob([shown.image], { type: "image/png" }));
      image.src = url;
      image.alt = `Newest samples, ${shown.label}`;
      if (body.firstChild !== image) body.replaceChildren(image);
    } else if (shown.html) {
      body.innerHTML = shown.html;
    } else {
      setText(what, shown.profile.title);
      if (!lines) {
        lines = chart(shown.profile.title, "", { colours: model.get("colours"), marks: [] }, { xTitle: shown.profile.x_title });
        body.replaceChildren(lines.element);
      }
      lines.draw(shown.profile.lines, 0);
    }
  };
  return { element, draw };
}

/** Scroll to all of the panel once it has its size; until then it takes no click, which would miss a button that moves. */
function comeIntoView(el) {
  el.style.pointerEvents = "none";
  setTimeout(() => {
    el.scrollIntoView({ block: "nearest" });
    requestAnimationFrame(() => { el.style.pointerEvents = ""; });
  }, 100);
}

function render({ model, el }) {
  const send = (message) => model.send(message);
  const top = bar(send);
  const notice = make("p", { class: "gannb-notice", role: "note", hidden: true });
  const numbers = numberPanel(model.get("numbers"), send);
  const charts = chartPanel(model);
  const messages = runLog();
  const pictures = picture(model);
  let before = "";

  const update = () => {
    const frame = model.get("frame");
    notice.hidden = !frame.notice;
    setText(notice, frame.notice);
    for (const part of [top, numbers, messages, charts]) part.update(frame);
    const begins = (frame.state === "ready" && before !== "ready") || (frame.state === "training" && before === "ready");
    if (frame.running && begins) comeIntoView(el);
    before = frame.running ? frame.state : "";
  };

  let waiting = 0; // a hidden page draws nothing
  const later = () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(update);
  };
  el.classList.add("gannb-live");
  el.append(make("div", { class: "gannb-panel", role: "region", "aria-label": "Live view" },
    top.element, notice,
    make("div", { class: "gannb-above" }, pictures.element, charts.element), charts.help,
    make("div", { class: "gannb-below" }, numbers.element, messages.element)));
  model.on("change:frame", later);
  model.on("change:picture", pictures.draw);
  const all = () => {
    later(); // once it stands in the page, and has a size
    pictures.draw();
  };
  const theme = new MutationObserver(all); // what is drawn takes its colours from it
  theme.observe(document.body, { attributeFilter: ["data-jp-theme-name"] });
  all();
  return () => {
    theme.disconnect();
    cancelAnimationFrame(waiting);
    model.off("change:frame", later);
    model.off("change:picture", pictures.draw);
  };
}

/** Answer while a cell is busy, so that the kernel knows that clicks reach it. */
function initialize({ model }) {
  const answer = () => {
    const { running, answered } = model.get("frame");
    if (running && !answered) model.send({ do: "hello" });
  };
  model.on("change:frame", answer);
  answer();
}

export default { initialize, render };
