"""Bring in a CSV file of followers.

1. `upload` stores the file as clean UTF-8 and checks it whole (`csv_file`, `encoding`). Nothing is
   imported yet; `columns` guesses what each heading means, `status_words` which may say an opt-out.
2. A person corrects the guess, and decides about each column that may say who opted out. `preview`
   says what each row would do, and why.
3. `run.start` lets it run; `run.run` is the task. It works in slices of rows, each in one
   transaction that also keeps the place in the file.
4. Each slice goes the way of the preview: `rows` reads a person from the cells, `judging` decides
   what the person changes, `write` writes the decisions of the slice with a dozen statements.
5. `problems_file` gives back what was refused or lost a cell, to be corrected and uploaded again.

A line about somebody whom an earlier line of the same file spoke about is refused: of two lines
that say different things the later one would undo the earlier one at every run. Whoever
unsubscribed stays so, whatever the file says; a suppressed address stays suppressed. An opt-out
is obeyed even by a row that is refused.

Doors: `upload`, `columns`, `preview`, `run`, `problems_file`, and `csv_file.BadFile`.
"""
