// The page's half of `with_controls`. Native controls, unlike those of ipywidgets, have a name for screen readers.
export default { render({ model, el }) {
  const box = document.createElement("div");
  box.style.cssText = "display:flex;flex-wrap:wrap;gap:0.4em 1.6em;align-items:center";
  for (const c of model.get("controls")) {
    const label = document.createElement("label"), shown = document.createElement("output");
    const input = document.createElement(c.choices ? "select" : "input");
    if (c.choices) c.choices.forEach(name => input.add(new Option(name, name)));
    else Object.assign(input, { type: "range", min: c.low, max: c.high, step: c.step });
    input.setAttribute("aria-label", c.name);
    input.dataset.lmSuppressShortcuts = "true"; // arrow keys are for the slider, not for the notebook
    const show = () => { input.value = model.get("values")[c.name]; shown.value = c.choices ? "" : input.value; };
    input.addEventListener(model.get("continuous") ? "input" : "change", () => {
      model.set("values", { ...model.get("values"), [c.name]: c.choices ? input.value : Number(input.value) });
      model.save_changes();
    });
    input.addEventListener("input", () => { shown.value = c.choices ? "" : input.value; });
    model.on("change:values", show);
    show();
    label.style.cssText = "display:inline-flex;gap:0.5em;align-items:center";
    label.append(c.name, input, shown);
    box.append(label);
  }
  el.append(box);
} };
