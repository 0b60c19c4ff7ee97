// Show the rows that hold every word of the field above a table; "-word" hides those that hold it.
for (const field of document.querySelectorAll("input.filter")) {
  const rows = [...document.querySelectorAll(`#${field.dataset.table} tbody tr`)].map((row) => [row, row.textContent.toLowerCase()]);
  const count = field.closest("p").querySelector(".count");
  const filter = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter((word) => word && word !== "-");
    let shown = 0;
    for (const [row, text] of rows) {
      row.hidden = words.some((word) => (word[0] === "-" ? text.includes(word.slice(1)) : !text.includes(word)));
      shown += !row.hidden;
    }
    count.textContent = `${shown} of ${rows.length}`;
  };
  field.addEventListener("input", filter);
  filter(); // a browser may have kept what was written
}
