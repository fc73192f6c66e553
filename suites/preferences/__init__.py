"""Preferences between two answers: everyday physics, and answers judged by people."""
