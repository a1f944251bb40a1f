// Ctrl-K and "/" open the search, "?" the list of shortcuts, "g" and a letter a page of the menu
// (its link says data-key). Single keys can be switched off (WCAG 2.2, 2.1.4).
import { open } from "./dialogs.js";

const STORED = "carillon-single-keys";
const PATIENCE = 1500; // milliseconds between "g" and its letter
const choice = document.querySelector("[data-single-keys]");
let went = -Infinity;

function typing(target) {
  return target.isContentEditable || target.matches("input, select, textarea");
}

function pressed(event) {
  if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    open("find");
    return;
  }
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  if (modified || !choice.checked || typing(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.timeStamp - went < PATIENCE) {
    went = -Infinity;
    document.querySelector(`a[data-key="${CSS.escape(event.key)}"]`)?.click();
    return;
  }
  if (event.key === "g") went = event.timeStamp;
  if (event.key === "/") {
    event.preventDefault();
    open("find");
  }
  if (event.key === "?") open("shortcuts");
}

if (choice) {
  choice.checked = localStorage.getItem(STORED) !== "off";
  choice.addEventListener("change", () => {
    localStorage.setItem(STORED, choice.checked ? "on" : "off");
  });
  document.addEventListener("keydown", pressed);
}
