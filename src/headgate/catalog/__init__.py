"""What is known of the providers' models: prices, limits, abilities; data, look-up, layers over it."""
