"""Material that fits no window: split, read part by part, brought together again."""
