"""The section Send of the menu."""
