"""`rota bench`: times a house, its own or one that runs, and checks that every task was done once."""
