"""Two followers who are the same person become one.

1. `outcome` says what the one will be: pure, so that a page can show it beforehand.
2. `merge` does it, in one transaction. What other apps have of the one who goes is taken over by
   `MERGES` of the wiring.
3. `MergedFollower` keeps the old id: links that were mailed still find the right person.
"""
