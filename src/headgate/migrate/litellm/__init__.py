"""LiteLLM's configuration file and key tables turned into a configuration of ours."""
