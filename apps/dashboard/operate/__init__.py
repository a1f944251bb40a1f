"""The section Operate of the menu."""
