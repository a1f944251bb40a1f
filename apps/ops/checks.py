"""System checks: settings and wiring that would lose or double messages are refused at start."""
