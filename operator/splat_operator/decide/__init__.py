"""Decisions: from what was observed to actions. Pure: no client, no clock, no memory."""
