"""Whether models answer alike whoever it is about: the same questions with other people in them, asked now and then."""
