// Composing: the preview follows what is typed. Without this file its button does the same.
(function () {
  "use strict";
  // Whoever writes a time means it.
  var wall = document.getElementById("id_wall");
  if (wall) wall.addEventListener("input", function () {
    document.querySelector("[name=when][value=" + (wall.value ? "later" : "now") + "]").checked = true;
  });

  // The same for how fast: one of the two numbers, and the choice that it belongs to.
  var numbers = { rate: "id_rate", spread: "id_hours" };
  function field(pace) { return document.getElementById(numbers[pace]); }
  function chosen(pace) {
    Object.keys(numbers).forEach(function (other) { if (other !== pace && field(other)) field(other).value = ""; });
    document.querySelector("[name=pace][value=" + pace + "]").checked = true;
  }
  Object.keys(numbers).forEach(function (pace) {
    if (field(pace)) field(pace).addEventListener("input", function () { chosen(field(pace).value ? pace : "fast"); });
  });
  document.querySelectorAll("[name=pace]").forEach(function (radio) {
    radio.addEventListener("change", function () { chosen(radio.value); });
  });

  var form = document.querySelector(".compose");
  var refresh = document.getElementById("refresh");
  if (!form || !refresh) return;
  var timer = null;
  function soon(event) {
    if (event.target.id === "id_to") return;
    window.clearTimeout(timer);
    timer = window.setTimeout(function () { form.requestSubmit(refresh); }, 800);
  }
  form.addEventListener("input", soon);
  // A submit that only fills the frame must not count as the page's own (app.js ignores a second one).
  document.addEventListener("submit", function (event) {
    if (event.target === form && event.submitter === refresh) delete form.dataset.sent;
  });
})();
