// Tables: sorted by a click on a title (Tablesort, vendor/), and filtered by a word.
(() => {
  Tablesort.extend("figure", (text) => Number.isFinite(Number(text)), (a, b) => Number(b) - Number(a)); // Tablesort takes the lower figure as the later
  const prepare = () => document.querySelectorAll(".scroll > table:not([data-ready])").forEach((table) => {
    if (!table.checkVisibility()) return; // prepared when what it is folded into opens
    table.dataset.ready = "";
    [...table.tHead.rows[0].cells].forEach((title, column) => {
      const cells = [...table.tBodies[0].rows].map((row) => row.cells[column]).filter(Boolean);
      if (!cells.some((cell) => cell.dataset.value !== undefined)) return;
      title.dataset.sortMethod = "figure";
      cells.forEach((cell) => { cell.dataset.value ??= String(-Number.MAX_VALUE); });
    });
    new Tablesort(table, { sortAttribute: "data-value" });
    const lines = [...table.tBodies[0].rows];
    if (lines.length < 8) return;
    const filter = document.createElement("input");
    filter.type = "search";
    filter.className = "filter";
    filter.placeholder = "Filter rows";
    filter.setAttribute("aria-label", `Filter rows: ${table.caption.textContent}`);
    filter.addEventListener("input", () => {
      const words = filter.value.trim().toLowerCase();
      lines.forEach((line) => { line.hidden = !line.textContent.toLowerCase().includes(words); });
    });
    table.parentElement.before(filter);
  });
  document.addEventListener("toggle", prepare, true);
  prepare();
})();
