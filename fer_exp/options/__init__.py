"""Configurations and command lines: composed, checked, explained, identified, written as words again."""
