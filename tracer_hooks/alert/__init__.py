"""Alerts on how execution goes: the rules as data, and judging them without Prometheus."""
