// [data-suggests="id"] holds buttons that put their own words into a comma-separated field, or take
// them out.
function suggest(box) {
  const field = document.getElementById(box.dataset.suggests);
  const names = () => field.value.split(",").map((name) => name.trim()).filter(Boolean);

  function show() {
    const chosen = names().map((name) => name.toLowerCase());
    for (const button of box.querySelectorAll("button")) {
      const pressed = chosen.includes(button.textContent.toLowerCase());
      button.setAttribute("aria-pressed", String(pressed));
    }
  }

  function toggle(word) {
    const before = names();
    const others = before.filter((name) => name.toLowerCase() !== word.toLowerCase());
    const wasChosen = others.length < before.length;
    const after = wasChosen ? others : [...others, word];
    field.value = after.join(", ");
    show();
  }

  box.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) toggle(button.textContent);
  });
  field.addEventListener("input", show);
  field.closest("div").after(box);
  box.hidden = false;
  show();
}

document.querySelectorAll("[data-suggests]").forEach(suggest);
