"""The worked solution: repaired nets, GoodNet, figures and the reference's record of a BadNet."""
