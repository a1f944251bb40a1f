// <a data-jump="id" data-line="3"> marks that line of a field.
import { open } from "./open-field.js";

function jump(field, line) {
  open(field);
  const lines = field.value.split("\n");
  const before = lines.slice(0, line - 1).map((text) => text.length + 1);
  const start = before.reduce((sum, length) => sum + length, 0);
  const marked = lines[line - 1] || "";
  field.setSelectionRange(start, start + marked.length);
  field.scrollTop = Math.max(0, (field.scrollHeight / lines.length) * (line - 4));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-jump]");
  if (!link) return;
  event.preventDefault();
  jump(document.getElementById(link.dataset.jump), Number(link.dataset.line));
});
