// Costs at a usage that the reader chooses; the formulas are those of harness/compare/cost/money.py and breakeven.py.
(() => {
  const data = JSON.parse(document.getElementById("money-data").textContent);
  const form = document.getElementById("usage");
  if (!form) return;
  const field = (name) => document.getElementById(name);

  const dollars = (value) => {
    if (value === 0) return "$0";
    const sign = value < 0 ? "-" : "";
    const amount = Math.abs(value);
    const fixed = (places) => amount.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
    if (amount >= 99.995) return `${sign}$${fixed(0)}`;
    if (amount >= 0.995) return `${sign}$${fixed(2)}`;
    if (amount < 0.00001) return `<${sign}$0.00001`;
    return `${sign}$${fixed(Math.min(12, 1 - Math.floor(Math.log10(amount))))}`;
  };
  const rounded = (value) => {
    const step = value < 100 ? 1 : 10 ** (String(Math.round(value)).length - 2);
    return (Math.round(value / step) * step).toLocaleString("en-US");
  };
  const number = (name, least) => {
    const value = Number(field(name).value);
    return Number.isFinite(value) && value >= least ? value : least;
  };
  const usage = () => ({ requests: number("volume", 0), months: Math.max(number("months", 0), 1e-9), updates: number("updates", 0) });
  const factor = () => 2 ** Number(field("factor").value);
  const price = (part) => part.usd * (!field("price").value || field("price").value === part.price ? factor() : 1);
  const sum = (parts) => parts.reduce((total, part) => total + part.quantity * price(part), 0);
  const standing = (row, use) => sum(row.fixed) + use.months * (sum(row.month) + use.updates * sum(row.update));
  const total = (row, use) => standing(row, use) + use.months * use.requests * sum(row.request);

  const half = (parts, times) => {
    const ends = parts.filter((part) => part.spreads);
    if (ends.some((part) => part.low === null || part.high === null)) return null;
    return times * Math.hypot(0, ...ends.map((part) => ((part.high - part.low) * price(part)) / 2));
  };
  const standingHalf = (row, use) => {
    const again = new Set(row.update.map((part) => part.what));
    const halves = row.fixed.map((part) => half([part], again.has(part.what) ? 1 + use.months * use.updates : 1));
    return halves.includes(null) ? null : Math.hypot(0, ...halves);
  };
  const fieller = (top, bottom, topHalf, bottomHalf) => {
    const spare = bottom ** 2 - bottomHalf ** 2;
    if (spare <= 0) return null;
    const middle = (top * bottom) / spare;
    const reach = Math.sqrt(Math.max(0, (top * bottom) ** 2 - spare * (top ** 2 - topHalf ** 2))) / spare;
    return [middle - reach, middle + reach];
  };
  const side = (difference, width) => (width > 0 && Math.abs(difference) <= width ? null : Math.sign(difference));
  const sentence = (rows, use) => {
    const names = rows.map((row) => `\`${row.name}\``);
    const unknown = (reason) => `Which of ${names[0]} and ${names[1]} costs less cannot be said: ${reason}.`;
    const top = standing(rows[0], use) - standing(rows[1], use);
    const bottom = sum(rows[1].request) - sum(rows[0].request);
    const halves = [...rows.map((row) => standingHalf(row, use)), ...rows.map((row) => half(row.request, 1))];
    if (rows[0] === rows[1]) return `${names[0]} and ${names[1]} cost the same.`;
    if (halves.includes(null)) return unknown("hours were measured once, and the same run takes longer in another hour");
    const widths = [Math.hypot(halves[0], halves[1]), Math.hypot(halves[2], halves[3])];
    if (side(bottom, widths[1]) === null) return unknown("what a request costs differs by less than runs in one sitting do");
    if (side(top, widths[0]) === null) return unknown("what is paid at any volume differs by less than runs in one sitting do");
    if (top === 0 && bottom === 0) return `${names[0]} and ${names[1]} cost the same.`;
    const below = top < 0 || (top === 0 && bottom > 0) ? 0 : 1;
    const above = bottom === 0 ? below : bottom > 0 ? 0 : 1;
    if (bottom === 0 || top / bottom <= 0) return `${names[above]} costs less than ${names[1 - above]} at any volume.`;
    const [low, high] = fieller(top, bottom, ...widths).map((end) => rounded(Math.max(0, end) / use.months));
    return `Above ${rounded(top / bottom / use.months)} requests a month [${low}, ${high}], ${names[above]} costs less than ${names[below]}; below, it is the other way round.`;
  };
  const say = (element, text) => {
    element.replaceChildren(...text.split("`").map((part, place) => {
      if (place % 2 === 0) return document.createTextNode(part);
      const code = document.createElement("code");
      code.textContent = part;
      return code;
    }));
  };

  const linesOf = new Map([...document.querySelectorAll(".cost")].map((section) => [section, [...section.querySelectorAll("table.totals tbody tr")]])); // before a reader sorts
  const cheapest = (rows, use) => {
    const tied = rows.filter((row) => row.tied);
    const [best] = [...tied].sort((a, b) => total(a, use) - total(b, use));
    const at = `at ${use.requests.toLocaleString("en-US")} requests a month over ${use.months.toLocaleString("en-US")} months`;
    return tied.length > 1
      ? `${at}, the cheapest of the ${tied.length} priced strategies that tie for best is \`${best.name}\`: ${dollars(total(best, use))}.`
      : `${at}, \`${best.name}\` costs ${dollars(total(best, use))}.`;
  };

  const show = () => {
    const use = usage();
    document.querySelectorAll(".at-usage").forEach((element) => {
      const { name, rows } = data.tasks[Number(element.dataset.task)];
      say(element, `${name}: ${cheapest(rows, use)}`);
    });
    field("factor-shown").textContent = factor().toLocaleString("en-US", { maximumFractionDigits: 2 });
    document.querySelectorAll(".cost").forEach((section) => {
      const rows = data.tasks[Number(section.dataset.task)].rows;
      linesOf.get(section).forEach((line, place) => {
        const row = rows[place];
        const amounts = [sum(row.fixed), 1000 * sum(row.request), sum(row.month), sum(row.update), total(row, use) / use.months, total(row, use)];
        amounts.forEach((amount, column) => {
          const cell = line.cells[column + 1];
          cell.textContent = dollars(amount);
          cell.dataset.value = String(amount);
        });
      });
      const said = section.querySelector(".break-even");
      if (said) say(said, sentence([".first", ".second"].map((name) => rows[Number(section.querySelector(name).value)]), use));
    });
  };

  const slide = () => { field("volume-slider").value = String(Math.log10(Math.max(1, number("volume", 0)))); };
  document.getElementById("costs").addEventListener("input", (event) => {
    if (event.target.id === "volume-slider") field("volume").value = rounded(10 ** Number(event.target.value)).replaceAll(",", "");
    if (event.target.id === "volume") slide();
    show();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  slide();
  show();
})();
