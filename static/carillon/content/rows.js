// <button data-add-row="v"> adds the row of <template id="empty-v"> to [data-rows="v"].
function addRow(name) {
  const total = document.querySelector(`[name="${name}-TOTAL_FORMS"]`);
  const rows = document.querySelector(`[data-rows="${name}"]`);
  const empty = document.getElementById(`empty-${name}`).innerHTML;
  rows.insertAdjacentHTML("beforeend", empty.replaceAll("__prefix__", total.value));
  total.value = Number(total.value) + 1;
  rows.lastElementChild.querySelector("input").focus();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-add-row]");
  if (button) addRow(button.dataset.addRow);
});
