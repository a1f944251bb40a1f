// What was typed is kept in this tab until a staff page answers. When the log-in page or a refusal
// came instead, because the session was over, it is put back into the form as soon as its page is
// open again.
const KEY = "kept";
const staffPage = () => document.querySelector("main.main");

function store(kept) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    sessionStorage.removeItem(KEY); // full
  }
}

function keep(form) {
  if (form.querySelector("[type=password], [type=file]")) return;
  const typed = [...new FormData(form)].filter(([name]) => name !== "csrfmiddlewaretoken");
  store({ page: location.pathname, action: form.getAttribute("action"), typed });
}

// Tables whose rows are added on the page get as many as there were.
function addRows(form, typed) {
  for (const [name, value] of typed.filter(([name]) => name.endsWith("-TOTAL_FORMS"))) {
    const total = form.elements[name];
    const more = form.querySelector(`[data-add-row="${name.replace("-TOTAL_FORMS", "")}"]`);
    while (total && more && Number(total.value) < Number(value)) more.click();
  }
}

function fill(field, values) {
  if (field.type === "checkbox" || field.type === "radio") {
    field.checked = values.includes(field.value);
  } else if (field.type === "select-multiple") {
    for (const option of field.options) option.selected = values.includes(option.value);
  } else if (field.type !== "submit" && values.length) {
    field.value = values[0];
  }
}

function putBack(form, typed) {
  addRows(form, typed);
  for (const field of form.elements) {
    const values = typed.filter(([name]) => name === field.name).map(([, value]) => value);
    fill(field, values);
  }
  document.getElementById("given-back").hidden = false;
}

function opened() {
  const kept = JSON.parse(sessionStorage.getItem(KEY) || "null");
  if (!kept) return;
  if (!staffPage()) {
    store({ ...kept, unsaved: true });
    return;
  }
  if (kept.unsaved && kept.page !== location.pathname) return;
  sessionStorage.removeItem(KEY);
  const forms = [...document.querySelectorAll("main form[method=post]")];
  const form = forms.find((form) => form.getAttribute("action") === kept.action);
  if (kept.unsaved && form) putBack(form, kept.typed);
}

document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    if (form.method === "post" && form.closest("main.main")) keep(form);
  },
  true,
);
document.addEventListener("DOMContentLoaded", opened); // when the modules that add rows listen too
