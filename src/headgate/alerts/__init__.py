"""Watches what requests come to, and tells people when it is not as it should be; in a process beside the gateway."""
