// The page's half of the live view: draws the frame that the kernel sends, and reports what a person does.
// Numbers move through native sliders and fields (names for screen readers, keyboard); curves are plain SVG.

const POSITIONS = 200; // of a slider: an arrow key is half a percent of the range, Page Up a tenth
const SVG = "http://www.w3.org/2000/svg";
const WAITS = "waits for the training cell";
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
  const path = sparkline();
  const row = make("div", { class: "gannb-number" },
    make("span", { class: "gannb-name", title: meaning }, name, unit ? make("small", {}, ` ${unit}`) : ""),
    driver, hold, slider, field, path.element, message,
    make("span", { id: docId, hidden: true }, meaning));

  const show = (value) => {
    slider.value = Math.round(of(value));
    slider.setAttribute("aria-valuetext", short(value));
    slider.style.setProperty("--filled", `${(100 * slider.value) / (last || 1)}%`);
    if (document.activeElement !== field || !editing) field.value = now.held ? value : short(value);
  };
  const move = (value) => {
    requested = value;
    show(value);
    setText(message, running ? "" : WAITS);
    row.classList.remove("gannb-refused");
    row.classList.add("gannb-pending");
    send({ do: "move", name, value });
  };
  const commit = () => {
    editing = false;
    if (!typed) return show(requested ?? now.value);
    typed = false;
    const value = Number(field.value.trim().replace(",", "."));
    if (field.value.trim() === "" || !Number.isFinite(value)) {
      setText(message, `“${field.value.trim()}” is not a number`);
      passed = lasting;
      row.classList.add("gannb-refused");
      show(now.value);
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

  const update = (current, trace, frame) => {
    now = current;
    running = frame.running;
    lasting = frame.refused[name] ?? "";
    if (lasting !== passed) passed = "";
    const refused = lasting !== passed && lasting;
    if (requested !== null && (refused || now.value === requested || (integer && now.value === Math.round(requested)))) requested = null;
    row.classList.toggle("gannb-pending", requested !== null);
    row.classList.toggle("gannb-held", now.held);
    if (!dragging) show(requested ?? now.value);
    setText(driver, now.held ? "held by you" : now.driver);
    setText(hold, now.held ? "Release" : "Hold");
    hold.setAttribute("aria-label", `${now.held ? "Release" : "Hold"} ${name}`);
    hold.setAttribute("aria-pressed", String(now.held));
    if (refused) {
      row.classList.add("gannb-refused");
      setText(message, refused);
    } else if (requested !== null) {
      setText(message, running ? "" : WAITS);
    } else if (message.textContent.startsWith("refused") || message.textContent.startsWith("waits")) {
      row.classList.remove("gannb-refused");
      setText(message, "");
    }
    path.draw(floats(trace.x), floats(trace.y), frame.step, now.value);
  };
  return { row, update };
}

/** The path of a number over the run, as a small staircase. */
function sparkline() {
  const line = document.createElementNS(SVG, "path");
  const element = document.createElementNS(SVG, "svg");
  element.setAttribute("class", "gannb-path");
  element.setAttribute("viewBox", "0 0 100 24");
  element.setAttribute("preserveAspectRatio", "none");
  element.setAttribute("aria-hidden", "true");
  element.append(line);
  const draw = (steps, values, step, exact) => {
    const value = Math.fround(exact); // as the steps before it came
    const lows = Math.min(value, ...values), highs = Math.max(value, ...values);
    const end = Math.max(step, 1);
    const y = (v) => (highs > lows ? 21 - (18 * (v - lows)) / (highs - lows) : 12).toFixed(1);
    let d = `M0,${y(values.length ? values[0] : value)}`;
    for (let i = 0; i < steps.length; i++) d += `H${((100 * steps[i]) / end).toFixed(1)}V${y(values[i])}`;
    line.setAttribute("d", `${d}H100V${y(value)}`);
  };
  return { element, draw };
}

// ---- curves ------------------------------------------------------------------------------------------------

/** One chart: a title, one line per series, its newest value in the legend; values at the pointer instead of the newest. */
function chart(title, colours, point) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 500 100");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const cursor = document.createElementNS(SVG, "path");
  cursor.setAttribute("class", "gannb-cursor");
  svg.append(cursor);
  const legend = make("div", { class: "gannb-legend" });
  const top = make("span", { class: "gannb-top" }), bottom = make("span", { class: "gannb-bottom" });
  const element = make("figure", { class: "gannb-chart" },
    make("figcaption", {}, make("b", {}, title), legend), make("div", { class: "gannb-plot" }, top, bottom, svg));
  const lines = new Map();
  let end = 1;

  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    point((end * (event.clientX - box.left)) / box.width);
  });
  svg.addEventListener("pointerleave", () => point(null));

  const line = (name) => {
    if (!lines.has(name)) {
      const path = document.createElementNS(SVG, "path");
      path.style.stroke = colours[lines.size % colours.length];
      svg.append(path);
      const value = make("output", {});
      legend.append(make("span", {}, make("i", { style: `background:${path.style.stroke}` }), `${name} `, value));
      lines.set(name, { path, value, x: [], y: [], last: "" });
    }
    return lines.get(name);
  };

  const draw = (series, step) => {
    end = Math.max(step, 1);
    let low = Infinity, high = -Infinity;
    for (const one of series) {
      const kept = Object.assign(line(one.name), { x: floats(one.x), y: floats(one.y), last: one.last });
      for (const v of kept.y) if (Number.isFinite(v)) { if (v < low) low = v; if (v > high) high = v; }
    }
    if (!(low <= high)) return;
    const log = low > 0 && high / low > 100;
    if (title === "discriminator" && low >= 0 && high <= 1) { low = 0; high = 1; }
    const [from, to] = log ? [Math.log(low), Math.log(high)] : [low, high];
    const y = (v) => (to > from ? 97 - (94 * ((log ? Math.log(v) : v) - from)) / (to - from) : 50);
    for (const { path, x, y: values } of lines.values()) {
      let d = "", pen = "M";
      for (let i = 0; i < x.length; i++) {
        if (!Number.isFinite(values[i])) { pen = "M"; continue; }
        d += `${pen}${((500 * x[i]) / end).toFixed(1)},${y(values[i]).toFixed(1)}`;
        pen = "L";
      }
      path.setAttribute("d", x.length === 1 && d ? `${d}h0.01` : d);
      path.classList.toggle("gannb-dotted", x.length === 1); // a first point alone
    }
    setText(top, short(high, 3));
    element.classList.toggle("gannb-log", log);
    setText(bottom, short(low, 3));
    svg.setAttribute("aria-label", `${title}: ${series.map((one) => `${one.name} ${one.last}`).join(", ")}`);
  };

  const read = (step) => {
    cursor.setAttribute("d", step === null ? "" : `M${(500 * step) / end},0V100`);
    for (const { value, x, y, last } of lines.values()) {
      let i = x.findIndex((s) => s >= step);
      if (i < 0) i = x.length - 1;
      setText(value, step === null || i < 0 ? last : short(y[i]));
    }
  };
  return { element, draw, read };
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
  const element = make("section", { class: "gannb-numbers", "aria-label": "Numbers" }, ...groups.values(), help);
  return { element, update: (frame) => rows.forEach((row, i) => row.update(frame.numbers[i], frame.paths[i], frame)) };
}

/** What the run is doing, and the buttons for it. */
function bar(send) {
  const state = make("strong", { class: "gannb-state", role: "status" });
  const where = make("span", { class: "gannb-where" });
  const progress = make("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const button = (label, title, act) => make("button", { type: "button", title, onclick: act }, label);
  let paused = false, running = false;
  const ask = (what) => {
    send(what);
    if (!running) setText(where, `${what.do} ${WAITS}`);
  };
  const pause = button("Pause", "Wait at the next step", () => send({ do: paused ? "resume" : "pause" }));
  const step = button("Step", "Take a single step, while paused", () => send({ do: "step" }));
  const stop = button("Stop", "End training after this step; the cells below go on", () => send({ do: "stop" }));
  const save = button("Checkpoint", "Write a checkpoint at the next step", () => ask({ do: "checkpoint" }));
  const which = make("select", { ...OWN_KEYS, "aria-label": "Checkpoint to roll back to" });
  const back = button("Roll back", "Restore the weights of this checkpoint; the step count goes on", () => ask({ do: "rollback", name: which.value }));
  const element = make("header", {},
    make("span", { class: "gannb-dot", "aria-hidden": "true" }), state, where, progress,
    make("span", { class: "gannb-buttons" }, pause, step, stop, save, make("span", { class: "gannb-joined" }, which, back)));

  let offered = "";
  const update = (frame) => {
    const { answered, notice } = frame;
    running = frame.running;
    const steerable = running && !(notice && !answered);
    paused = frame.state === "paused";
    setText(state, frame.state);
    element.dataset.state = frame.state;
    const left = running && !paused && frame.rate ? `, ${duration((frame.target - frame.step) / frame.rate)} left` : "";
    setText(where, `step ${frame.step}${frame.target ? ` of ${frame.target}` : ""} · epoch ${frame.epoch}${frame.rate ? ` · ${frame.rate} steps/s${left}` : ""}`);
    progress.value = frame.target ? frame.step / frame.target : 0;
    setText(pause, paused ? "Resume" : "Pause");
    pause.disabled = stop.disabled = !steerable;
    step.disabled = !(steerable && paused);
    if (offered !== frame.checkpoints.join()) {
      offered = frame.checkpoints.join();
      const chosen = which.value;
      which.replaceChildren(...frame.checkpoints.map((name) => make("option", { value: name, selected: name === chosen }, name === "best" ? "best" : `step ${name}`)));
    }
    back.disabled = which.disabled = !offered;
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

function samples(model) {
  const image = make("img", { alt: "" });
  const when = make("small", {});
  const caption = make("figcaption", {}, make("b", {}, "newest samples"), " ", when);
  const element = make("figure", { class: "gannb-samples", hidden: true }, caption, image);
  let url = "";
  const draw = () => {
    const png = model.get("samples");
    element.hidden = !png || !png.byteLength;
    if (element.hidden) return;
    if (url) URL.revokeObjectURL(url);
    url = URL.createObjectURL(new Blob([png], { type: "image/png" }));
    image.src = url;
  };
  const update = ({ pictured }) => {
    if (when.textContent === `step ${pictured}`) return;
    setText(when, `step ${pictured}`);
    image.alt = `Newest samples, step ${pictured}`;
  };
  return { element, draw, update };
}

function render({ model, el }) {
  const send = (message) => model.send(message);
  const top = bar(send);
  const notice = make("p", { class: "gannb-notice", role: "note", hidden: true });
  const numbers = numberPanel(model.get("numbers"), send);
  const plots = make("section", { class: "gannb-charts", "aria-label": "Curves" });
  const messages = runLog();
  const pictures = samples(model);
  const charts = new Map();
  let pointed = null;

  const point = (step) => {
    pointed = step;
    for (const one of charts.values()) one.read(step);
  };
  const draw = (frame) => {
    for (const { title, lines } of frame.charts) {
      if (!charts.has(title)) {
        charts.set(title, chart(title, model.get("colours"), point));
        plots.append(charts.get(title).element);
      }
      charts.get(title).draw(lines, frame.step);
    }
    point(pointed);
  };
  const update = () => {
    const frame = model.get("frame");
    notice.hidden = !frame.notice;
    setText(notice, frame.notice);
    for (const part of [top, numbers, messages, pictures]) part.update(frame);
    draw(frame);
  };

  let waiting = 0; // a hidden page draws nothing
  const later = () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(update);
  };
  el.classList.add("gannb-live");
  el.append(make("div", { class: "gannb-panel", role: "region", "aria-label": "Live view" },
    top.element, notice, plots,
    make("div", { class: "gannb-below" }, numbers.element, make("div", { class: "gannb-side" }, pictures.element, messages.element))));
  model.on("change:frame", later);
  model.on("change:samples", pictures.draw);
  update();
  pictures.draw();
  return () => {
    cancelAnimationFrame(waiting);
    model.off("change:frame", later);
    model.off("change:samples", pictures.draw);
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
