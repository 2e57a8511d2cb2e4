"""The LiteLLM proxy's side: the entries of its config that fit the servers there are."""
