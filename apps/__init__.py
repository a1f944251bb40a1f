"""Everything Carillon does, one app for each subject; docs/architecture.md shows them as layers."""

__version__ = "0.9.0"  # pyproject.toml says the same; CHANGELOG.md says what each brought
