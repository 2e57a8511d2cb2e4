"""Map-reduce over long material: split it, take notes on each part, merge the notes."""
