// Good news leaves by itself, unless somebody reads it; warnings and errors stay.
const LASTING = ["error", "warning"];

for (const element of document.querySelectorAll("[data-toast]")) {
  const autohide = !LASTING.includes(element.dataset.toast);
  new bootstrap.Toast(element, { autohide, delay: 8000, animation: false }).show();
}
