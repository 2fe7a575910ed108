"""Where processes tell each other what they have found out, so that they agree."""
