// Runs before the first paint, so that nothing flashes: the remembered choice, else what the system prefers.
(function () {
  var remembered = null;
  try { remembered = localStorage.getItem("theme"); } catch (error) { /* storage may be forbidden */ }
  var system = window.matchMedia("(prefers-color-scheme: dark)");
  function apply() {
    document.documentElement.setAttribute("data-bs-theme", remembered || (system.matches ? "dark" : "light"));
  }
  system.addEventListener("change", apply);
  window.toggleTheme = function () {
    remembered = document.documentElement.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
    try { localStorage.setItem("theme", remembered); } catch (error) { /* lasts for this page then */ }
    apply();
  };
  apply();
})();
