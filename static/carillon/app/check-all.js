// <input type="checkbox" data-check-all="name"> ticks all of that name; [data-needs-checked="name"]
// shows how many.
const boxesOf = (name) => [...document.querySelectorAll(`input[type=checkbox][name="${name}"]`)];

function count(name) {
  const boxes = boxesOf(name);
  const ticked = boxes.filter((box) => box.checked).length;
  for (const element of document.querySelectorAll(`[data-needs-checked="${name}"]`)) {
    const number = element.querySelector("[data-count]");
    element.hidden = ticked === 0;
    if (number) number.textContent = ticked;
  }
  const all = document.querySelector(`[data-check-all="${name}"]`);
  if (!all) return;
  all.checked = ticked > 0 && ticked === boxes.length;
  all.indeterminate = ticked > 0 && ticked < boxes.length;
}

document.addEventListener("change", ({ target }) => {
  const all = target.dataset.checkAll;
  if (all) boxesOf(all).forEach((box) => (box.checked = target.checked));
  if (target.type === "checkbox") count(all || target.name);
});

for (const all of document.querySelectorAll("[data-check-all]")) count(all.dataset.checkAll);
