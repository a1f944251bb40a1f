"""What followers say about being written to, and what follows from it.

1. A page, the API or a person of staff says something for a follower, with a `record.Proof`: who,
   when, where, under which wording.
2. `acts` stores it: the global opt-out, cells of the matrix, channel switches; `opt_out` what the
   link in a message means. `rhythm` stores when
   the follower wants to be written to. Each writes a consent record and a fact.
3. `suppression` keeps the addresses that get nothing more, whoever has them.
4. `verdict` judges one message by all of this and gives its reason. `ladder` has the order of its
   questions for SQL: `verdict_sql` asks them of hundreds, `verdict_joined` of a whole crowd.
5. `matrix` shows a follower each cell with its verdict.

All modules are doors; only `acts`, `rhythm` and `suppression` write.
"""
