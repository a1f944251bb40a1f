// <button data-insert="{{ follower.name }}"> puts that into the field of its form that was written in
// last, in the place of what is selected there; else into the first long one that shows.
let last = null;

document.addEventListener("focusin", (event) => {
  if (event.target.matches('textarea, input[type="text"]')) last = event.target;
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-insert]");
  if (!button) return;
  const form = button.closest("form");
  const isHere = last && form.contains(last) && last.offsetParent;
  const field = isHere ? last : [...form.querySelectorAll("textarea")].find((each) => each.offsetParent);
  if (!field) return;
  field.focus();
  field.setRangeText(button.dataset.insert, field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
});
