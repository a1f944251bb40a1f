// The field that an address names, as in …/content/#id_value-amount, also in a tab that is closed.
import { open } from "./open-field.js";

function show() {
  const named = document.getElementById(location.hash.slice(1));
  if (!named) return;
  named.closest("details")?.setAttribute("open", "");
  open(named);
}

window.addEventListener("hashchange", show);
show();
