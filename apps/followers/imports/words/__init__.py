"""What other people's cells and headings mean.

1. `systems` knows the exports of other programs by their headings.
2. `language_names` reads languages by their names, `moments` reads dates as programs write them.
"""
