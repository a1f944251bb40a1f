"""The section Administer of the menu, and signing in."""
