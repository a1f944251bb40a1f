// <select data-submit-on-change> sends its form as soon as something is chosen.
document.addEventListener("change", (event) => {
  if (event.target.dataset.submitOnChange !== undefined) event.target.form.requestSubmit();
});
