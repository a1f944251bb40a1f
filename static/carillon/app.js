// Small behaviour for staff pages, all of which work without it: one module for each. The first
// three hear the same submit, in this order: a question comes first, and may stop the others.
import "./app/confirm.js";
import "./app/kept-input.js";
import "./app/send-once.js";

import "./app/check-all.js";
import "./app/copy.js";
import "./app/dialogs.js";
import "./app/find.js";
import "./app/insert.js";
import "./app/shortcuts.js";
import "./app/submit-on-change.js";
import "./app/suggestions.js";
import "./app/toasts.js";
