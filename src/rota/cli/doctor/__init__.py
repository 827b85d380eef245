"""`rota doctor`: looks at the machine, the data folder and the node, and says what to do."""
