"""What the recogniser of names is learned from: labelled rows, and sentences that are made up."""
