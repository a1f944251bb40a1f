"""What all staff pages share: the menu, forms, pages of a list, and the home page."""
