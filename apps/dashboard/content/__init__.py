"""The section Content of the menu."""
