"""Decisions and operation."""
