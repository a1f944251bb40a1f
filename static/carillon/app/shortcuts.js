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

// With a layout of other letters, the Latin one in its place: Ctrl-K is where it always was.
function keyOf(event) {
  const place = /^Key([A-Z])$/.exec(event.code);
  const foreign = event.key.length === 1 && event.key > "~";
  return foreign && place ? place[1].toLowerCase() : event.key;
}

function pressed(event) {
  const key = keyOf(event);
  if (key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    open("find");
    return;
  }
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  if (modified || !choice.checked || typing(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.timeStamp - went < PATIENCE) {
    went = -Infinity;
    document.querySelector(`a[data-key="${CSS.escape(key)}"]`)?.click();
    return;
  }
  if (key === "g") went = event.timeStamp;
  if (key === "/") {
    event.preventDefault();
    open("find");
  }
  if (key === "?") open("shortcuts");
}

if (choice) {
  choice.checked = localStorage.getItem(STORED) !== "off";
  choice.addEventListener("change", () => {
    localStorage.setItem(STORED, choice.checked ? "on" : "off");
  });
  document.addEventListener("keydown", pressed);
}
