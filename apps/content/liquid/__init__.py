"""The template language: Liquid with every limit set, compiled to Python."""
