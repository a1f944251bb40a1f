// The preview follows what is typed. Without this its button does the same.
const form = document.querySelector(".compose");
const refresh = document.getElementById("refresh");
const PAUSE = 800; // milliseconds without a key

function follow() {
  let timer;
  form.addEventListener("input", (event) => {
    if (event.target.id === "id_to") return; // the address of a test
    clearTimeout(timer);
    timer = setTimeout(() => form.requestSubmit(refresh), PAUSE);
  });
  // A submit that only fills the frame must not count as the page's own (app/send-once.js ignores a
  // second one).
  document.addEventListener("submit", (event) => {
    if (event.target === form && event.submitter === refresh) delete form.dataset.sent;
  });
}

if (form && refresh) follow();
