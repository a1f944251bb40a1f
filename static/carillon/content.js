// The template editor: jump to the line of a problem, one row more in a table. Saving needs none of
// it.
import { open } from "./content/open-field.js";
import "./content/hash.js";
import "./content/jump.js";
import "./content/rows.js";

// The first wrong field is shown, also when it is in a language whose tab is closed.
const wrong = document.querySelector("#editor .is-invalid");
if (wrong) open(wrong);
