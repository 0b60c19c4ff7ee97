// Draw every figure from the JSON inside it, or from the script beside the page that gave it its data. Figures are
// transparent with mid-grey text: one drawing for light and dark.
for (const place of document.querySelectorAll(".figure")) {
  const figure = place.figure || JSON.parse(place.querySelector("script").textContent);
  const layout = figure.layout || {};
  layout.height ??= layout.template?.layout?.height ?? 340; // else it takes the height of its empty place
  place.style.height = `${layout.height}px`;
  place.onScreen = layout.width ? { width: layout.width } : { width: null, autosize: true };
  Plotly.newPlot(place, figure.data, layout, { responsive: true, displaylogo: false }).then(() => {
    if (figure.frames) Plotly.addFrames(place, figure.frames);
  });
}
// On paper a figure is as wide as the paper; "resize" would come too late for the page that is printed.
const PAPER = 660; // pixels, 175 mm: within the margins of A4 and of Letter
const drawn = () => document.querySelectorAll(".figure.js-plotly-plot");
window.addEventListener("beforeprint", () => {
  for (const place of drawn()) Plotly.relayout(place, { width: PAPER });
});
window.addEventListener("afterprint", () => {
  for (const place of drawn()) Plotly.relayout(place, place.onScreen);
});
