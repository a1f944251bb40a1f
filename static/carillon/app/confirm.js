// <form data-confirm="Cancel this campaign?">, or a button of it, asks first. The button's own
// words become the answer.
const dialog = document.getElementById("confirm");
const otherwise = dialog?.querySelector("[value=yes]").textContent;

function ask(question, form, button) {
  const yes = dialog.querySelector("[value=yes]");
  dialog.querySelector("#confirm-question").textContent = question;
  yes.textContent = button?.textContent.trim() || otherwise;
  dialog.returnValue = "no";
  dialog.onclose = () => {
    if (dialog.returnValue !== "yes") return;
    form.dataset.confirmed = "yes";
    form.requestSubmit(button);
  };
  dialog.showModal();
}

function submitted(event) {
  const form = event.target;
  const button = event.submitter;
  const question = button?.dataset.confirm || form.dataset.confirm;
  if (!question || form.dataset.confirmed) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  ask(question, form, button);
}

if (dialog) document.addEventListener("submit", submitted, true);

// Coming back with the browser's back button asks again.
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.confirmed;
});
