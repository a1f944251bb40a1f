"""The lists of the dashboard as tables that can be taken out, by the menu's sections.

People, suppressions, consent and messages have sources of their own beside what they are about;
notifications_project/wiring.py names all of them (EXPORTS).
"""
