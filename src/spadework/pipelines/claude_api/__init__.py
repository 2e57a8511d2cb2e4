"""The Claude API with the user's own key: the client, prices, budget and batches."""
