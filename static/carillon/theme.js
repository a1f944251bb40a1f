// Runs before the first paint, so that nothing flashes: the remembered choice, else what the system
// prefers. No module, because modules run after the first paint.
"use strict";
(() => {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  let remembered = recall();

  function recall() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage may be forbidden
    }
  }

  function remember(theme) {
    remembered = theme;
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // lasts for this page then
    }
  }

  function apply() {
    const preferred = system.matches ? "dark" : "light";
    document.documentElement.dataset.bsTheme = remembered || preferred;
  }

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    remember(document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark");
    apply();
  });
  system.addEventListener("change", apply);
  apply();
})();
