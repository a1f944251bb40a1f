// Whoever writes a time means it, and whoever empties the field means now.
const wall = document.getElementById("id_wall");

wall?.addEventListener("input", () => {
  const when = wall.value ? "later" : "now";
  document.querySelector(`[name=when][value=${when}]`).checked = true;
});
