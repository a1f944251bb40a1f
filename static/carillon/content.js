// The template editor: jump to the line of a problem, one row more in a table. Saving needs none of it.
(function () {
  "use strict";
  function open(field) {
    var pane = field.closest(".tab-pane");
    if (pane) bootstrap.Tab.getOrCreateInstance(document.querySelector('[data-bs-target="#' + pane.id + '"]')).show();
    field.focus();
  }

  function jump(field, line) {
    open(field);
    var lines = field.value.split("\n");
    var start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    field.setSelectionRange(start, start + (lines[line - 1] || "").length);
    field.scrollTop = Math.max(0, (field.scrollHeight / lines.length) * (line - 4));
  }

  function addRow(name) {
    var total = document.querySelector('[name="' + name + '-TOTAL_FORMS"]');
    var copy = document.getElementById("empty-" + name).innerHTML.replace(/__prefix__/g, total.value);
    var rows = document.querySelector('[data-rows="' + name + '"]');
    rows.insertAdjacentHTML("beforeend", copy);
    total.value = Number(total.value) + 1;
    rows.lastElementChild.querySelector("input").focus();
  }

  document.addEventListener("click", function (event) {
    var link = event.target.closest("[data-jump]");
    var add = event.target.closest("[data-add-row]");
    if (link) {
      event.preventDefault();
      jump(document.getElementById(link.dataset.jump), Number(link.dataset.line));
    }
    if (add) addRow(add.dataset.addRow);
  });

  // The first wrong field is shown, also when it is in a language whose tab is closed.
  var wrong = document.querySelector("#editor .is-invalid");
  if (wrong) open(wrong);
})();
