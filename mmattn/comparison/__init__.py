"""Systems against their twins without attention, on videos of one's own."""
