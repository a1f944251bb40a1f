// Arrow keys walk from the field of the search through what it found, and back; Enter in the field
// goes to the first.
const dialog = document.getElementById("find");

function walked(event) {
  const hits = [...dialog.querySelectorAll("a.find-hit")];
  const field = dialog.querySelector("input[name=q]");
  if (event.key === "Enter" && event.target === field && hits.length) {
    event.preventDefault();
    hits[0].click();
    return;
  }
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  if (!(event.key in steps)) return;
  event.preventDefault();
  const stops = [field, ...hits];
  const place = stops.indexOf(document.activeElement) + steps[event.key];
  stops[Math.min(Math.max(place, 0), hits.length)].focus();
}

dialog?.addEventListener("keydown", walked);
