"""Identities that come from elsewhere: what is presented is verified, and becomes names of ours or a clear refusal."""
