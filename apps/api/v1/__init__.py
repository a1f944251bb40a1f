"""Version 1: endpoints by section of the menu. urls.py has one line per view or table of verbs."""
