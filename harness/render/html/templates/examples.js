// Examples: filters, pages, and answers put together where strategies gave the same one. Texts are only ever set as text.
(() => {
  const data = JSON.parse(document.getElementById("example-data").textContent);
  const form = document.getElementById("filters");
  if (!form) return;
  const field = (name) => document.getElementById(name);
  const PAGE = 5;
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
  const holds = (example, words) => {
    const texts = [example.id, data.texts[example.input], ...example.references, ...example.choices];
    example.answers.forEach((answer, place) => texts.push(answer.a || "", data.texts[answer.o], prompt(place, answer)));
    return texts.join("\n").toLowerCase().includes(words);
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
    const words = field("x-text").value.trim().toLowerCase();
    const fit = fits[field("x-right").value];
    return task().examples.filter((one) => fit(one.answers[first].r, one.answers[second].r) && (!words || holds(one, words)));
  };

  const unfold = (title, fill) => {
    const details = made("details");
    details.append(made("summary", "", title));
    details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) fill(details); });
    return details;
  };
  const labelled = (title, text) => {
    const box = made("div", "verbatim", text);
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
    const text = (place) => prompt(place, example.answers[place]) + "\u0000" + data.texts[example.answers[place].o];
    alike(places, text).forEach((same) => {
      const answer = example.answers[same[0]];
      const names = same.map((place) => task().rows[place]).join(", ");
      const score = answer.s === null ? "" : `, score ${answer.s}`;
      details.append(...labelled(`Prompt of ${names}`, prompt(same[0], answer)));
      if (answer.d.length) details.append(made("p", "note", `Passages sent, best first: ${answer.d.join(", ")}`));
      details.append(...labelled(`Output of ${names} (read as: ${data.texts[answer.h] || "it is"}${score})`, data.texts[answer.o]));
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
    return article;
  };

  const show = () => {
    const every = found();
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
