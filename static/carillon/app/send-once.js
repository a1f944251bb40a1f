// A second click while the first is under way is ignored; the server would refuse it too.
function submitted(event) {
  const form = event.target;
  if (form.method !== "post" || form.hasAttribute("hx-post")) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
}

document.addEventListener("submit", submitted, true);

// Coming back with the browser's back button must not leave forms dead.
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});
