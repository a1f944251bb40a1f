// Small behaviour for pages that all work without it.
(function () {
  "use strict";
  var confirmDialog = document.getElementById("confirm");

  document.addEventListener("click", function (event) {
    if (event.target.closest("[data-theme-toggle]")) window.toggleTheme();
    var copy = event.target.closest("[data-copy]");
    if (copy) {
      var source = document.getElementById(copy.dataset.copy);
      navigator.clipboard.writeText(source.value || source.textContent.trim()).then(function () {
        copy.textContent = "Copied";
      });
    }
  });

  // <form data-confirm="Cancel this campaign?"> asks first; the button's own words become the answer.
  document.addEventListener("submit", function (event) {
    var form = event.target;
    var button = event.submitter;
    var question = (button && button.dataset.confirm) || form.dataset.confirm;
    if (question && confirmDialog && !form.dataset.confirmed) {
      event.preventDefault();
      event.stopImmediatePropagation();
      confirmDialog.querySelector("#confirm-question").textContent = question;
      confirmDialog.querySelector("[value=yes]").textContent = (button && button.textContent.trim()) || "Continue";
      confirmDialog.returnValue = "no";
      confirmDialog.onclose = function () {
        if (confirmDialog.returnValue !== "yes") return;
        form.dataset.confirmed = "yes";
        form.requestSubmit(button);
      };
      confirmDialog.showModal();
      return;
    }
    if (form.method === "post" && form.closest("main.main")) keep(form);
    // A second click while the first is under way is ignored; the server would refuse it too.
    if (form.method === "post" && !form.hasAttribute("hx-post")) {
      if (form.dataset.sent) { event.preventDefault(); return; }
      form.dataset.sent = "yes";
    }
  }, true);

  // [data-suggests="id"] holds buttons that put their own words into a comma-separated field, or take them out.
  document.querySelectorAll("[data-suggests]").forEach(function (box) {
    var field = document.getElementById(box.dataset.suggests);
    function names() {
      return field.value.split(",").map(function (name) { return name.trim(); }).filter(Boolean);
    }
    function show() {
      var lower = names().map(function (name) { return name.toLowerCase(); });
      box.querySelectorAll("button").forEach(function (button) {
        button.setAttribute("aria-pressed", String(lower.includes(button.textContent.toLowerCase())));
      });
    }
    box.addEventListener("click", function (event) {
      var button = event.target.closest("button");
      if (!button) return;
      var word = button.textContent;
      var rest = names().filter(function (name) { return name.toLowerCase() !== word.toLowerCase(); });
      field.value = (rest.length < names().length ? rest : rest.concat(word)).join(", ");
      show();
    });
    field.addEventListener("input", show);
    field.closest("div").after(box);
    box.hidden = false;
    show();
  });

  // What was typed is kept in this tab until a staff page answers. When the log-in page or a refusal came instead,
  // because the session was over, it is put back into the form as soon as its page is open again.
  function keep(form) {
    if (form.querySelector("[type=password], [type=file]")) return;
    var typed = Array.from(new FormData(form)).filter(function (pair) { return pair[0] !== "csrfmiddlewaretoken"; });
    var kept = { page: location.pathname, action: form.getAttribute("action"), typed: typed };
    try { sessionStorage.setItem("kept", JSON.stringify(kept)); } catch (full) { sessionStorage.removeItem("kept"); }
  }
  function giveBack() {
    var kept = JSON.parse(sessionStorage.getItem("kept") || "null");
    if (!kept) return;
    if (!document.querySelector("main.main")) {
      kept.unsaved = true;
      sessionStorage.setItem("kept", JSON.stringify(kept));
      return;
    }
    if (kept.unsaved && kept.page !== location.pathname) return;
    sessionStorage.removeItem("kept");
    var form = Array.from(document.querySelectorAll("main form[method=post]")).find(function (form) {
      return form.getAttribute("action") === kept.action;
    });
    if (!kept.unsaved || !form) return;
    kept.typed.forEach(function (pair) {
      var total = /-TOTAL_FORMS$/.test(pair[0]) && form.elements[pair[0]];
      var more = total && form.querySelector('[data-add-row="' + pair[0].replace("-TOTAL_FORMS", "") + '"]');
      while (more && Number(total.value) < Number(pair[1])) more.click();
    });
    Array.from(form.elements).forEach(function (field) {
      var values = kept.typed.filter(function (pair) { return pair[0] === field.name; }).map(function (pair) { return pair[1]; });
      if (field.type === "checkbox" || field.type === "radio") field.checked = values.includes(field.value);
      else if (field.type === "select-multiple") Array.from(field.options).forEach(function (option) { option.selected = values.includes(option.value); });
      else if (field.type !== "submit" && values.length) field.value = values[0];
    });
    document.getElementById("given-back").hidden = false;
  }
  document.addEventListener("DOMContentLoaded", giveBack);

  // Coming back with the browser's back button must not leave forms dead.
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form").forEach(function (form) {
      delete form.dataset.sent;
      delete form.dataset.confirmed;
    });
  });

  // Good news leaves by itself, unless somebody reads it; warnings and errors stay.
  document.querySelectorAll("[data-toast]").forEach(function (element) {
    var lasting = element.dataset.toast === "error" || element.dataset.toast === "warning";
    new bootstrap.Toast(element, { autohide: !lasting, delay: 8000, animation: false }).show();
  });

  // <input type="checkbox" data-check-all="name"> ticks all of that name; [data-needs-checked] shows how many.
  function count(name) {
    var boxes = document.querySelectorAll('input[type=checkbox][name="' + name + '"]');
    var ticked = Array.prototype.filter.call(boxes, function (box) { return box.checked; }).length;
    document.querySelectorAll('[data-needs-checked="' + name + '"]').forEach(function (element) {
      element.hidden = ticked === 0;
      var number = element.querySelector("[data-count]");
      if (number) number.textContent = ticked;
    });
    var all = document.querySelector('[data-check-all="' + name + '"]');
    if (all) {
      all.checked = ticked > 0 && ticked === boxes.length;
      all.indeterminate = ticked > 0 && ticked < boxes.length;
    }
  }
  document.addEventListener("change", function (event) {
    var all = event.target.dataset.checkAll;
    if (all) {
      document.querySelectorAll('input[type=checkbox][name="' + all + '"]').forEach(function (box) {
        box.checked = event.target.checked;
      });
    }
    if (event.target.type === "checkbox") count(all || event.target.name);
    if (event.target.dataset.submitOnChange !== undefined) event.target.form.requestSubmit();
  });
  document.querySelectorAll("[data-check-all]").forEach(function (element) { count(element.dataset.checkAll); });
})();
