"""What a campaign would do if it left now, told before somebody lets it go.

1. `one_pass` judges everybody of an audience in one statement: how many get it, by which reasons,
   in which languages, and the first few people of each reason.
2. `counting` has that done in a thread of its own where people are many, shares one count among all
   who ask for it, keeps the answer, and ends the statement when nobody waits for it any more.
3. `languages` tells which words leave in which language.
4. `review` puts it together: what is wrong, who gets it and in which words.

Doors: `review`, `counting`, and the values of `numbers` and `languages`.
"""
