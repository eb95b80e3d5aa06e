"""Reference implementation of the lab: network, BadNet, pruning defence and GoodNet."""
