// Show a field, also one in a tab that is closed, and put the cursor into it.
export function open(field) {
  const pane = field.closest(".tab-pane");
  if (pane) {
    const tab = document.querySelector(`[data-bs-target="#${pane.id}"]`);
    bootstrap.Tab.getOrCreateInstance(tab).show();
  }
  field.focus();
}
