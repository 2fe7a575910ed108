"""Secrets that are kept elsewhere: how they are referred to, and how each place that keeps them is asked."""
