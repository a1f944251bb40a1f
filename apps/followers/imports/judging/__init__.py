"""Decide what each row of a file would change, with the reason.

1. `known` reads what the database holds about the people of a slice, in a handful of statements
   however many they are.
2. `rules` decides about one person at a time. It reads no database: what was looked up, and what
   earlier rows of the file said, are given to it.
3. `slices` takes both for a slice of a file, and leaves out whoever was erased. Who is to be
   changed is locked and judged once more; an unchanged row costs its comparison.

Nothing here writes. The preview and the run take the same road, on each database, so that what was
shown is what happens. `decisions` has what is handed on.

Doors: `slices.judge_rows`, `slices.decide_slice`, `decisions`, `known.holders_of`.
"""
