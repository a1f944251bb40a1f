"""What the OpenAPI document says beyond what serializers know.

1. `typed` has the fields whose insides are a small language of ours: audiences, rules, words.
2. `operation` describes what all operations share: headers, and what is compared.
3. `together` has what fields of one body ask of each other.
4. `examples` makes an example of each body and each answer.
"""
