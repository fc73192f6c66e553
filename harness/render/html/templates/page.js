"use strict";
// What the whole page shares: light and dark, and what is unfolded for print.
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => { button.textContent = dark() ? "Light mode" : "Dark mode"; };
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    show();
  });
  system.addEventListener("change", show);
  show();

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("#costs details:not([open]), #provenance details:not([open])")];
    opened.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((one) => { one.open = false; }));
})();
