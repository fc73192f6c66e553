// Examples: filters, pages, and answers put together where strategies gave the same one. Texts are only ever set as text.
(() => {
  const data = JSON.parse(document.getElementById("example-data").textContent);
  const form = document.getElementById("filters");
  if (!form) return;
  const field = (name) => document.getElementById(name);
  const PAGE = 3;
  let page = 0;

  const made = (kind, name, text) => {
    const element = document.createElement(kind);
    if (name) element.className = name;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const options = (select, names) => select.replaceChildren(...names.map(([value, text]) => {
    const option = made("option", "", text);
    option.value = value;
    return option;
  }));
  const task = () => data.tasks[Number(field("x-task").value)];
  const prompt = (place, answer) => data.texts[task().begin[place]] + data.texts[answer.p];
  const holds = (example, matches) => {
    const texts = [example.id, data.texts[example.input], ...example.references, ...example.choices];
    example.answers.forEach((answer, place) => texts.push(answer.a || "", data.texts[answer.o], prompt(place, answer)));
    return matches(texts.join("\n"));
  };
  const fits = {
    any: () => true,
    differ: (a, b) => a !== b,
    first: (a, b) => a === true && b === false,
    second: (a, b) => a === false && b === true,
    none: (a, b) => a === false && b === false,
    both: (a, b) => a === true && b === true,
  };
  const found = () => {
    const [first, second] = [Number(field("x-first").value), Number(field("x-second").value)];
    const words = field("x-text").value.trim();
    const pattern = field("x-regex").checked && new RegExp(words, "ium");
    const matches = pattern ? (text) => pattern.test(text) : (text) => text.toLowerCase().includes(words.toLowerCase());
    const fit = fits[field("x-right").value];
    return task().examples.filter((one) => fit(one.answers[first].r, one.answers[second].r) && (!words || holds(one, matches)));
  };

  const unfold = (title, fill) => {
    const details = made("details");
    details.append(made("summary", "", title));
    details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) fill(details); });
    return details;
  };
  // Where a reference stands in a text, it is marked; of fixed choices every prompt names all.
  const marked = (text, references) => {
    const sought = references.filter((reference) => reference.trim().length > 1).map((reference) => reference.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    if (!sought.length) return [text];
    return text.split(new RegExp(`(${sought.join("|")})`, "iu")).map((part, place) => (place % 2 ? made("mark", "", part) : part));
  };
  // Words of two texts by their longest common subsequence: deleted, inserted and common.
  const difference = (before, after) => {
    const [a, b] = [before, after].map((text) => text.split(/(\s+)/).slice(0, 800));
    const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i -= 1) for (let j = b.length - 1; j >= 0; j -= 1) lengths[i][j] = a[i] === b[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    const parts = [];
    let [i, j] = [0, 0];
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && a[i] === b[j]) { parts.push(a[i]); i += 1; j += 1; }
      else if (j >= b.length || (i < a.length && lengths[i + 1][j] >= lengths[i][j + 1])) { parts.push(made("del", "", a[i])); i += 1; }
      else { parts.push(made("ins", "", b[j])); j += 1; }
    }
    return parts;
  };
  const labelled = (title, parts) => {
    const box = made("div", "verbatim");
    box.append(...parts);
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", title);
    return [made("h4", "", title), box];
  };
  const alike = (places, key) => {
    const groups = new Map();
    places.forEach((place) => groups.set(key(place), [...(groups.get(key(place)) || []), place]));
    return [...groups.values()];
  };
  const told = (places, example) => (details) => {
    const sought = example.choices.length ? [] : example.references;
    const text = (place) => prompt(place, example.answers[place]) + "\u0000" + data.texts[example.answers[place].o];
    alike(places, text).forEach((same) => {
      const answer = example.answers[same[0]];
      const names = same.map((place) => task().rows[place]).join(", ");
      const score = answer.s === null ? "" : `, score ${answer.s}`;
      details.append(...labelled(`Prompt of ${names}`, marked(prompt(same[0], answer), sought)));
      if (answer.d.length) details.append(made("p", "note", `Passages sent, best first: ${answer.d.join(", ")}`));
      details.append(...labelled(`Output of ${names} (read as: ${data.texts[answer.h] || "it is"}${score})`, marked(data.texts[answer.o], sought)));
    });
  };
  const group = (places, example) => {
    const item = made("li");
    const answer = example.answers[places[0]];
    const right = answer.r === null ? "" : answer.r ? "right" : "wrong";
    item.append(made("span", `mark ${right}`, answer.r === null ? "answer" : answer.r ? "✓ right" : "✗ wrong"));
    const body = made("div");
    body.append(made("div", "given", answer.a === null ? "(no answer could be read)" : answer.a === "" ? "(nothing)" : answer.a));
    body.append(made("div", "who", places.map((place) => task().rows[place]).join(", ")));
    body.append(unfold("Prompt, passages and output", told(places, example)));
    item.append(body);
    return item;
  };
  const card = (example) => {
    const article = made("article", "example");
    article.append(made("h3", "", `Item ${example.id}${example.restricted ? ", not for everybody" : ""}`), made("p", "asked", data.texts[example.input] || "(see the prompt)"));
    const reference = made("p", "reference");
    reference.append(made("b", "", "Reference: "), document.createTextNode(example.references.join(" / ")));
    if (example.choices.length) reference.append(made("br"), made("b", "", "Choices: "), document.createTextNode(example.choices.join(" / ")));
    if (example.evidence.length) reference.append(made("br"), made("b", "", "Passages that hold it: "), document.createTextNode(example.evidence.join(", ")));
    const list = made("ul", "answers");
    const answered = (place) => JSON.stringify([example.answers[place].r, example.answers[place].a]);
    alike([...example.answers.keys()], answered).sort((a, b) => Number(example.answers[b[0]].r) - Number(example.answers[a[0]].r)).forEach((places) => list.append(group(places, example)));
    article.append(reference, list);
    const [first, second] = [Number(field("x-first").value), Number(field("x-second").value)];
    const [before, after] = [first, second].map((place) => data.texts[example.answers[place].o]);
    if (before !== after) article.append(unfold(`Difference: ${task().rows[first]} to ${task().rows[second]}`, (details) => details.append(...labelled("Only the first wrote what is struck out; only the second what is underlined", difference(before, after)))));
    return article;
  };

  const show = () => {
    let every = [];
    field("x-text").setCustomValidity("");
    try {
      every = found();
    } catch (error) {
      field("x-text").setCustomValidity(error.message);
      field("x-list").replaceChildren();
      field("x-count").textContent = `This is no regular expression: ${error.message}`;
      return;
    }
    const pages = Math.max(1, Math.ceil(every.length / PAGE));
    page = Math.min(page, pages - 1);
    field("x-list").replaceChildren(...every.slice(page * PAGE, (page + 1) * PAGE).map(card));
    field("x-count").textContent = every.length ? `${every.length} of ${task().examples.length} examples, page ${page + 1} of ${pages}` : "No example fits.";
    field("x-before").disabled = page === 0;
    field("x-after").disabled = page >= pages - 1;
  };
  const choose = () => {
    const names = task().rows.map((name, place) => [String(place), name]);
    options(field("x-first"), names);
    options(field("x-second"), names);
    field("x-second").value = String(names.length - 1);
  };
  const turn = (step) => () => {
    page += step;
    show();
    form.scrollIntoView({ block: "start" });
  };
  options(field("x-task"), data.tasks.map((one, place) => [String(place), one.name]));
  choose();
  form.addEventListener("input", (event) => {
    if (event.target.id === "x-task") choose();
    page = 0;
    show();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  field("x-before").addEventListener("click", turn(-1));
  field("x-after").addEventListener("click", turn(1));
  show();
})();
