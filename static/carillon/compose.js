// Composing a campaign. Everything can be done without these, by one click more.
import "./compose/live-preview.js";
import "./compose/pace.js";
import "./compose/wall-time.js";
