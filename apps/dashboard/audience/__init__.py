"""The section Audience of the menu."""
