"""From a raw reply to an answer: thinking, cleaning, checks."""
