"""How fast Carillon is, beside what it could be and beside what people write otherwise:
`make bench`.

Nothing of the product imports this. docs/performance.md is written by it.
"""
