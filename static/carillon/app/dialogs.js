// <a data-opens="find"> opens that dialog in place of following its link; [data-closes] shuts the
// dialog it is in. A press beside a dialog shuts it, too.
export function open(name) {
  const dialog = document.getElementById(name);
  if (!dialog || dialog.open) return;
  dialog.showModal();
  dialog.querySelector("input[name=q]")?.select();
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    open(opener.dataset.opens);
  }
  const closer = event.target.closest("[data-closes]");
  const beside = event.target.matches("dialog.find");
  if (closer || beside) event.target.closest("dialog").close();
});
