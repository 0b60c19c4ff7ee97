// Draw every figure from the JSON inside it, or from the script beside the page that gave it its data. Figures are
// transparent with mid-grey text: one drawing for light and dark.
for (const place of document.querySelectorAll(".figure")) {
  const figure = place.figure || JSON.parse(place.querySelector("script").textContent);
  const layout = figure.layout || {};
  layout.height ??= layout.template?.layout?.height ?? 340; // else it takes the height of its empty place
  Plotly.newPlot(place, figure.data, layout, { responsive: true, displaylogo: false }).then(() => {
    if (figure.frames) Plotly.addFrames(place, figure.frames);
  });
}
window.addEventListener("beforeprint", () => {
  for (const place of document.querySelectorAll(".figure")) Plotly.Plots.resize(place);
});
