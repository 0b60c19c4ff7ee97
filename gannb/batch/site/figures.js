// Draw every figure from the JSON inside it. Figures are transparent with mid-grey text: one drawing for light and dark.
for (const place of document.querySelectorAll(".figure")) {
  const figure = JSON.parse(place.querySelector("script").textContent);
  const options = { responsive: true, displaylogo: false };
  const layout = figure.layout || {};
  layout.height ??= layout.template?.layout?.height ?? 340; // else it takes the height of its empty place
  Plotly.newPlot(place, figure.data, layout, options).then(() => {
    if (figure.frames) Plotly.addFrames(place, figure.frames);
  });
}
window.addEventListener("beforeprint", () => {
  for (const place of document.querySelectorAll(".figure")) Plotly.Plots.resize(place);
});
