"""Text from outside: cleaned of what no reader sees, and quoted inside our own sentences."""
