// How fast a campaign goes: one of two numbers, and the choice that it belongs to.
const FIELDS = {
  rate: document.getElementById("id_rate"),
  spread: document.getElementById("id_hours"),
};

function choose(pace) {
  for (const [other, field] of Object.entries(FIELDS)) {
    if (other !== pace && field) field.value = "";
  }
  document.querySelector(`[name=pace][value=${pace}]`).checked = true;
}

for (const [pace, field] of Object.entries(FIELDS)) {
  field?.addEventListener("input", () => choose(field.value ? pace : "fast"));
}
for (const radio of document.querySelectorAll("[name=pace]")) {
  radio.addEventListener("change", () => choose(radio.value));
}
